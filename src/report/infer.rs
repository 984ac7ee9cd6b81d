//! What the SQL implies, beside what is declared.

use std::fmt::Write as _;

use similar::TextDiff;

use super::text::count;
use crate::analyse::{Dependency, Need, Why};
use crate::graph::{MigrationGraph, Node};
use crate::ops::{Change, Inference};
use crate::sql::Catalogue;

/// One line for each dependency: `=` declared and implied, `+` implied only, `-`
/// declared only. Migrations without any are left out.
pub(crate) fn render(graph: &MigrationGraph, inference: &Inference) -> String {
    let mut out = String::new();
    for node in graph.nodes() {
        let dependencies = &inference.dependencies[node.index()];
        let gone = gone(graph, node, dependencies);
        if dependencies.is_empty() && gone.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}", graph.id(node));
        for it in dependencies {
            let why =
                it.need.map(|need| format!("  {}", reason(inference.analysis.catalogue(), &need)));
            let mark = match (it.declared, it.need) {
                (true, Some(_)) => '=',
                (true, None) => '-',
                (false, _) => '+',
            };
            let why = why.unwrap_or_else(|| "  no reason in the SQL; kept".to_owned());
            let _ = writeln!(out, "  {mark} {:<40}{why}", graph.id(it.on));
        }
        for on in gone {
            let _ = writeln!(out, "  - {:<40}  left out", graph.id(on));
        }
    }
    out.push_str(&summary(graph, inference));
    out
}

/// What is declared and would not be any more.
fn gone(graph: &MigrationGraph, node: Node, dependencies: &[Dependency]) -> Vec<Node> {
    let stays = |on: &Node| dependencies.iter().any(|it| it.on == *on);
    graph.dependencies(node).into_iter().filter(|on| !stays(on)).collect()
}

fn summary(graph: &MigrationGraph, inference: &Inference) -> String {
    let all = || inference.dependencies.iter().flatten();
    let both = all().filter(|it| it.declared && it.need.is_some()).count();
    let declared = all().filter(|it| it.declared && it.need.is_none()).count();
    let implied = all().filter(|it| !it.declared).count();
    format!(
        "{}: {both} declared and implied by the SQL (=), {implied} only implied (+), {declared} only declared (-)\n{} would change\n",
        count(graph.len(), "migration"),
        count(inference.changes.len(), "file"),
    )
}

/// Why one must come behind the other.
pub(crate) fn reason(catalogue: &Catalogue, need: &Need) -> String {
    let what = if catalogue.is_anything(need.cell) {
        "a statement that could not be read".to_owned()
    } else {
        catalogue.describe(need.cell)
    };
    let why = match need.why {
        Why::Uses | Why::MakesMissing => "uses",
        Why::ChangesUsed => "changes what is used:",
        Why::BothChange => "both change",
        Why::ColumnOrder => "column order of",
    };
    let soft = if need.soft { " (in a function's body)" } else { "" };
    format!("{why} {what}{soft}")
}

/// The changes as a patch that `patch -p0` and `git apply -p0` take.
pub(crate) fn diff(changes: &[Change]) -> String {
    let one = |change: &Change| {
        let path = change.path.display().to_string();
        let diff = TextDiff::from_lines(&change.before, &change.after);
        diff.unified_diff().context_radius(3).header(&path, &path).to_string()
    };
    changes.iter().map(one).collect()
}
