//! Making a graph, or naming everything that prevents it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use super::cycles::shortest_cycles;
use super::{MigrationGraph, Node};
use crate::model::{
    Code, Dependency, Diagnostic, Diagnostics, Header, Migration, MigrationId, Place, Source,
};
use crate::parse::BrokenFile;
use crate::suggest::nearest;

/// Suggestions cost a comparison with every id; a directory where more than so
/// many dependencies are wrong has another problem than a slip of the pen.
const MAX_SUGGESTIONS: usize = 50;

/// What of a file matters here, whether its scripts parsed or not.
struct Entry<'a> {
    id: &'a MigrationId,
    source: &'a Arc<Source>,
    header: &'a Header,
}

/// Builds the graph of `migrations`.
///
/// Files that are `broken` are checked with the others, so that everything is
/// reported at once: duplicate ids, unknown, repeated and self dependencies, and
/// for each knot of cycles the shortest. With a broken file there is no graph,
/// even if nothing is wrong with the dependencies.
pub fn build(
    mut migrations: Vec<Migration>,
    broken: &[BrokenFile],
) -> Result<MigrationGraph, Diagnostics> {
    migrations.sort_by(|a, b| (&a.id, a.source.path()).cmp(&(&b.id, b.source.path())));
    let mut problems = Diagnostics::new();
    let entries = unique(entries(&migrations, broken), &mut problems);
    let by_id: BTreeMap<_, _> =
        entries.iter().enumerate().map(|(at, entry)| (entry.id.clone(), Node::new(at))).collect();
    let links = link(&entries, &by_id, &mut problems);
    let Ok(order) = toposort(&links.edges, None) else {
        problems.extend(shortest_cycles(&links.edges).iter().map(|it| cycle_problem(&entries, it)));
        return Err(problems);
    };
    if !broken.is_empty() || problems.iter().any(Diagnostic::is_error) {
        return Err(problems);
    }
    let topological = order.into_iter().map(|index| Node::new(index.index())).collect();
    let exclusive = links.exclusive.into_iter().map(|set| set.into_iter().collect()).collect();
    Ok(MigrationGraph { migrations, by_id, edges: links.edges, topological, exclusive })
}

/// All files in the order of their ids.
fn entries<'a>(migrations: &'a [Migration], broken: &'a [BrokenFile]) -> Vec<Entry<'a>> {
    let parsed =
        (migrations.iter()).map(|it| Entry { id: &it.id, source: &it.source, header: &it.header });
    let broken =
        (broken.iter()).map(|it| Entry { id: &it.id, source: &it.source, header: &it.header });
    let mut all: Vec<_> = parsed.chain(broken).collect();
    all.sort_by(|a, b| (a.id, a.source.path()).cmp(&(b.id, b.source.path())));
    all
}

/// Keeps the first of each id.
fn unique<'a>(entries: Vec<Entry<'a>>, problems: &mut Diagnostics) -> Vec<Entry<'a>> {
    let mut kept: Vec<Entry<'_>> = Vec::with_capacity(entries.len());
    for entry in entries {
        match kept.last() {
            Some(first) if first.id == entry.id => problems.push(duplicate(first, &entry)),
            _ => kept.push(entry),
        }
    }
    kept
}

fn duplicate(first: &Entry<'_>, second: &Entry<'_>) -> Diagnostic {
    Diagnostic::error(Code::DuplicateId, format!("two files have the id `{}`", first.id))
        .at(Place::file(second.source))
        .also(Place::file(first.source))
        .help("rename one: an id must be unique in the whole directory tree")
}

/// Both relations between files: "not before" and "not together".
struct Links {
    edges: DiGraph<(), ()>,
    exclusive: Vec<BTreeSet<Node>>,
}

fn link(
    entries: &[Entry<'_>],
    by_id: &BTreeMap<MigrationId, Node>,
    problems: &mut Diagnostics,
) -> Links {
    let mut resolver = Resolver { by_id, suggestions: 0, problems };
    let mut edges = DiGraph::with_capacity(entries.len(), entries.len());
    for _ in entries {
        edges.add_node(());
    }
    let mut exclusive = vec![BTreeSet::new(); entries.len()];
    for (index, entry) in entries.iter().enumerate() {
        for dependency in resolver.resolve(entry, &entry.header.dependencies, "depends on") {
            edges.add_edge(NodeIndex::new(dependency.index()), NodeIndex::new(index), ());
        }
        for other in resolver.resolve(entry, &entry.header.exclusive_with, "excludes") {
            exclusive[index].insert(other);
            exclusive[other.index()].insert(Node::new(index));
        }
    }
    Links { edges, exclusive }
}

struct Resolver<'a> {
    by_id: &'a BTreeMap<MigrationId, Node>,
    suggestions: usize,
    problems: &'a mut Diagnostics,
}

impl Resolver<'_> {
    /// The nodes that `list` of `entry` names; what cannot be is a problem.
    /// `verb` is what being in that list means.
    fn resolve(&mut self, entry: &Entry<'_>, list: &[Dependency], verb: &str) -> Vec<Node> {
        let mut seen: BTreeMap<&MigrationId, &Dependency> = BTreeMap::new();
        let mut nodes = Vec::with_capacity(list.len());
        for dependency in list {
            if let Some(first) = seen.insert(&dependency.id, dependency) {
                self.problems.push(repeated(entry, dependency, first));
            } else if dependency.id == *entry.id {
                self.problems.push(on_itself(entry, dependency, verb));
            } else if let Some(node) = self.by_id.get(&dependency.id) {
                nodes.push(*node);
            } else {
                let problem = self.unknown(entry, dependency);
                self.problems.push(problem);
            }
        }
        nodes
    }

    fn unknown(&mut self, entry: &Entry<'_>, dependency: &Dependency) -> Diagnostic {
        let problem = Diagnostic::error(
            Code::UnknownDependency,
            format!("there is no migration `{}`", dependency.id),
        )
        .at(Place::new(entry.source, dependency.span, "no file has this id"));
        self.suggestions += 1;
        if self.suggestions > MAX_SUGGESTIONS {
            return problem;
        }
        let ids = self.by_id.keys().filter(|id| *id != entry.id);
        match nearest(dependency.id.as_str(), ids.map(MigrationId::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("an id is the file's name without `.sql`"),
        }
    }
}

fn repeated(entry: &Entry<'_>, second: &Dependency, first: &Dependency) -> Diagnostic {
    Diagnostic::error(Code::DuplicateDependency, format!("`{}` is listed twice", second.id))
        .at(Place::new(entry.source, second.span, "remove this one"))
        .also(Place::new(entry.source, first.span, "the first"))
}

fn on_itself(entry: &Entry<'_>, dependency: &Dependency, verb: &str) -> Diagnostic {
    Diagnostic::error(Code::SelfDependency, format!("`{}` {verb} itself", entry.id))
        .at(Place::new(entry.source, dependency.span, "its own id"))
        .help("remove it from the list")
}

/// `cycle` follows the dependencies: each one depends on the next, and the last
/// on the first.
fn cycle_problem(entries: &[Entry<'_>], cycle: &[usize]) -> Diagnostic {
    let step = |at: usize| &entries[cycle[at % cycle.len()]];
    let path: Vec<_> = (0..=cycle.len()).map(|at| step(at).id.as_str()).collect();
    let message = format!("the dependencies go round in a circle: {}", path.join(" -> "));
    let mut problem = Diagnostic::error(Code::Cycle, message);
    for at in 0..cycle.len() {
        let (one, next) = (step(at), step(at + 1));
        let named = one.header.dependencies.iter().find(|dependency| dependency.id == *next.id);
        let span = named.map(|dependency| dependency.span).unwrap_or_default();
        let place = Place::new(one.source, span, format!("needs {}", next.id));
        problem = if at == 0 { problem.at(place) } else { problem.also(place) };
    }
    problem.help("remove one of these dependencies, or split a migration in two")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Depth, Unlisted, parse, settle};

    /// The messages about files whose headers are `id: dependencies; excluded`.
    fn problems(files: &[&str], broken: &[&str]) -> Vec<String> {
        let file = |line: &&str| {
            let (path, lists) = line.split_once(": ").unwrap();
            let (dependencies, excluded) = lists.split_once(';').unwrap_or((lists, ""));
            let sql = if broken.contains(&path) { "" } else { "SELECT 1;" };
            let text = format!(
                "-- @dependencies: [{dependencies}]\n-- @exclusiveWith: [{excluded}]\n{sql}"
            );
            parse(format!("{path}.sql").into(), text.into_bytes(), Depth::Tokens)
        };
        let set = settle(files.iter().map(file).collect(), Unlisted::Refuse);
        let mut found = build(set.migrations, &set.broken).err().unwrap_or_default();
        Diagnostic::sort(&mut found);
        found.into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn everything_that_prevents_a_graph_is_named_at_once() {
        let cases: [(&[&str], &[&str], &[&str]); 8] = [
            (&["a: ", "b: a;a"], &[], &[]),
            (&["a: x"], &[], &["there is no migration `x`"]),
            (&["a: x", "x: "], &["x"], &[]),
            (
                &["a: x", "x: a, y"],
                &["x"],
                &[
                    "the dependencies go round in a circle: a -> x -> a",
                    "there is no migration `y`",
                ],
            ),
            (&["a: ; x, a"], &[], &["there is no migration `x`", "`a` excludes itself"]),
            (&["a: a, a"], &[], &["`a` depends on itself", "`a` is listed twice"]),
            (&["1/a: ", "2/a: b", "b: "], &[], &["two files have the id `a`"]),
            (
                &["a: b", "b: a, x", "c: d", "d: c"],
                &[],
                &[
                    "the dependencies go round in a circle: a -> b -> a",
                    "there is no migration `x`",
                    "the dependencies go round in a circle: c -> d -> c",
                ],
            ),
        ];
        for (files, broken, expected) in cases {
            assert_eq!(problems(files, broken), expected, "{files:?}");
        }
    }
}
