//! What the SQL implies, beside what is declared.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

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
    let mut left_out = 0;
    for node in graph.nodes() {
        let dependencies = &inference.dependencies[node.index()];
        let gone = gone(graph, node, dependencies);
        left_out += gone.len();
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
    out.push_str(&summary(graph, inference, left_out));
    out
}

/// What is declared and would not be any more.
fn gone(graph: &MigrationGraph, node: Node, dependencies: &[Dependency]) -> Vec<Node> {
    let stays = |on: &Node| dependencies.iter().any(|it| it.on == *on);
    graph.dependencies(node).into_iter().filter(|on| !stays(on)).collect()
}

fn summary(graph: &MigrationGraph, inference: &Inference, left_out: usize) -> String {
    let all = || inference.dependencies.iter().flatten();
    let both = all().filter(|it| it.declared && it.need.is_some()).count();
    let declared = left_out + all().filter(|it| it.declared && it.need.is_none()).count();
    let implied = all().filter(|it| !it.declared).count();
    format!(
        "{}: {both} declared and implied by the SQL (=), {implied} only implied (+), {declared} only declared (-)\n{} would change\n",
        count(graph.len(), "migration"),
        count(inference.changes.len(), "file"),
    )
}

/// Why one must come behind the other.
pub(crate) fn reason(catalogue: &Catalogue, need: &Need) -> String {
    if catalogue.is_made_elsewhere(need.cell) {
        return "both change rows of tables that no migration makes (a guess)".to_owned();
    }
    let what = if catalogue.is_anything(need.cell) {
        "a statement that could not be read".to_owned()
    } else {
        catalogue.describe(need.cell)
    };
    let why = match need.why {
        Why::Uses | Why::MakesMissing => "uses",
        Why::TakesAway => "misses",
        Why::ChangesUsed => "changes what is used:",
        Why::BothChange => "both change",
        Why::ColumnOrder => "column order of",
        Why::RowOrder => "order of rows of",
    };
    let soft = if need.soft { " (in a function's body)" } else { "" };
    format!("{why} {what}{soft}")
}

/// The changes as a patch that `git apply`, `patch -p0` and `patch -p1` take in the
/// directory `here`; for files that are not below it, in `/`.
pub(crate) fn diff(changes: &[Change], here: &Path) -> String {
    let one = |change: &Change| {
        let name = patch_name(&below(&change.path, here));
        let diff = TextDiff::from_lines(&change.before, &change.after);
        diff.unified_diff().context_radius(3).header(&name, &name).to_string()
    };
    changes.iter().map(one).collect()
}

/// The path from `here`, or from `/`: none of the programs takes one that is absolute
/// or leads upwards.
fn below(path: &Path, here: &Path) -> PathBuf {
    let is_plain = |part: Component<'_>| matches!(part, Component::CurDir | Component::Normal(_));
    if path.components().all(is_plain) {
        return path.to_owned();
    }
    // Of the directory: a file that is a link is named itself.
    let directory = path.parent().and_then(|it| it.canonicalize().ok());
    let path =
        directory.zip(path.file_name()).map_or(path.to_owned(), |(dir, name)| dir.join(name));
    let found = path.strip_prefix(here).or_else(|_| path.strip_prefix("/"));
    found.map(Path::to_owned).unwrap_or(path)
}

/// The name in a patch. The `./` is what `-p1` takes off and `-p0` leaves. As git and
/// GNU diff do it, a tab ends a name with a blank, and one with control characters,
/// quotes or backslashes is quoted as in C.
fn patch_name(path: &Path) -> String {
    let mut name = PathBuf::from(".");
    name.extend(path.components().filter(|part| *part != Component::CurDir));
    let is_special = |c: char| c.is_ascii_control() || c == '"' || c == '\\';
    match name.to_str() {
        Some(name) if name.contains(is_special) => quoted(name.as_bytes()),
        Some(name) if name.contains(' ') => format!("{name}\t"),
        Some(name) => name.to_owned(),
        None => quoted(name.as_os_str().as_bytes()),
    }
}

fn quoted(name: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(*byte)),
        b' '..=b'~' => char::from(*byte).to_string(),
        other => format!("\\{other:03o}"),
    };
    format!("\"{}\"", name.iter().map(one).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn names_are_as_patch_reads_them() {
        let cases: [(&[u8], &str); 6] = [
            (b"m/1.sql", "./m/1.sql"),
            (b"./m/1.sql", "./m/1.sql"),
            (b"my m/1.sql", "./my m/1.sql\t"),
            ("é/1.sql".as_bytes(), "./é/1.sql"),
            (b"a\n\"b\\ c/1.sql", "\"./a\\012\\\"b\\\\ c/1.sql\""),
            (b"\xff/1.sql", "\"./\\377/1.sql\""),
        ];
        for (path, expected) in cases {
            assert_eq!(patch_name(Path::new(OsStr::from_bytes(path))), expected);
        }
    }
}
