//! Making a graph, or naming everything that prevents it.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use super::cycles::shortest_cycles;
use super::{MigrationGraph, Node};
use crate::model::{Code, Dependency, Diagnostic, Diagnostics, Migration, MigrationId, Place};
use crate::suggest::nearest;

/// Suggestions cost a comparison with every id; a directory where more than so
/// many dependencies are wrong has another problem than a slip of the pen.
const MAX_SUGGESTIONS: usize = 50;

/// Builds the graph of `migrations`.
///
/// `broken` names files that exist but did not parse: depending on one is no
/// mistake of its own. All problems are reported at once: duplicate ids, unknown,
/// repeated and self dependencies, and for each knot of cycles the shortest.
pub fn build(
    migrations: Vec<Migration>,
    broken: &BTreeSet<MigrationId>,
) -> Result<MigrationGraph, Diagnostics> {
    let mut problems = Diagnostics::new();
    let migrations = unique(migrations, &mut problems);
    let by_id: BTreeMap<_, _> = migrations
        .iter()
        .enumerate()
        .map(|(index, migration)| (migration.id.clone(), Node::new(index)))
        .collect();
    let mut resolver = Resolver { by_id: &by_id, broken, suggestions: 0, problems };
    let mut edges = DiGraph::with_capacity(migrations.len(), migrations.len());
    for _ in &migrations {
        edges.add_node(());
    }
    let mut exclusive = vec![BTreeSet::new(); migrations.len()];
    for (index, migration) in migrations.iter().enumerate() {
        for dependency in resolver.resolve(migration, &migration.header.dependencies, "depends on")
        {
            edges.add_edge(NodeIndex::new(dependency.index()), NodeIndex::new(index), ());
        }
        for other in resolver.resolve(migration, &migration.header.exclusive_with, "excludes") {
            exclusive[index].insert(other);
            exclusive[other.index()].insert(Node::new(index));
        }
    }
    let mut problems = resolver.problems;
    let Ok(order) = toposort(&edges, None) else {
        problems.extend(cycle_problems(&migrations, &edges));
        return Err(problems);
    };
    if problems.iter().any(Diagnostic::is_error) {
        return Err(problems);
    }
    let topological = order.into_iter().map(|index| Node::new(index.index())).collect();
    let exclusive = exclusive.into_iter().map(|set| set.into_iter().collect()).collect();
    Ok(MigrationGraph { migrations, by_id, edges, topological, exclusive })
}

/// Sorts by id and keeps the first of each.
fn unique(mut migrations: Vec<Migration>, problems: &mut Diagnostics) -> Vec<Migration> {
    migrations.sort_by(|a, b| (&a.id, a.source.path()).cmp(&(&b.id, b.source.path())));
    let mut kept: Vec<Migration> = Vec::with_capacity(migrations.len());
    for migration in migrations {
        match kept.last() {
            Some(first) if first.id == migration.id => problems.push(duplicate(first, &migration)),
            _ => kept.push(migration),
        }
    }
    kept
}

fn duplicate(first: &Migration, second: &Migration) -> Diagnostic {
    Diagnostic::error(Code::DuplicateId, format!("two files have the id `{}`", first.id))
        .at(Place::file(&second.source))
        .also(Place::file(&first.source))
        .help("rename one: an id must be unique in the whole directory tree")
}

struct Resolver<'a> {
    by_id: &'a BTreeMap<MigrationId, Node>,
    broken: &'a BTreeSet<MigrationId>,
    suggestions: usize,
    problems: Diagnostics,
}

impl Resolver<'_> {
    /// The nodes that `list` of `migration` names; what cannot be is a problem.
    /// `verb` is what being in that list means.
    fn resolve(&mut self, migration: &Migration, list: &[Dependency], verb: &str) -> Vec<Node> {
        let mut seen: BTreeMap<&MigrationId, &Dependency> = BTreeMap::new();
        let mut nodes = Vec::with_capacity(list.len());
        for dependency in list {
            if let Some(first) = seen.insert(&dependency.id, dependency) {
                self.problems.push(repeated(migration, dependency, first));
            } else if dependency.id == migration.id {
                self.problems.push(on_itself(migration, dependency, verb));
            } else if let Some(node) = self.by_id.get(&dependency.id) {
                nodes.push(*node);
            } else if !self.broken.contains(&dependency.id) {
                let problem = self.unknown(migration, dependency);
                self.problems.push(problem);
            }
        }
        nodes
    }

    fn unknown(&mut self, migration: &Migration, dependency: &Dependency) -> Diagnostic {
        let problem = Diagnostic::error(
            Code::UnknownDependency,
            format!("there is no migration `{}`", dependency.id),
        )
        .at(Place::new(&migration.source, dependency.span, "no file has this id"));
        self.suggestions += 1;
        if self.suggestions > MAX_SUGGESTIONS {
            return problem;
        }
        let ids = self.by_id.keys().chain(self.broken).filter(|id| **id != migration.id);
        match nearest(dependency.id.as_str(), ids.map(MigrationId::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("an id is the file's name without `.sql`"),
        }
    }
}

fn repeated(migration: &Migration, second: &Dependency, first: &Dependency) -> Diagnostic {
    Diagnostic::error(Code::DuplicateDependency, format!("`{}` is listed twice", second.id))
        .at(Place::new(&migration.source, second.span, "remove this one"))
        .also(Place::new(&migration.source, first.span, "the first"))
}

fn on_itself(migration: &Migration, dependency: &Dependency, verb: &str) -> Diagnostic {
    Diagnostic::error(Code::SelfDependency, format!("`{}` {verb} itself", migration.id))
        .at(Place::new(&migration.source, dependency.span, "its own id"))
        .help("remove it from the list")
}

fn cycle_problems<'a>(
    migrations: &'a [Migration],
    edges: &'a DiGraph<(), ()>,
) -> impl Iterator<Item = Diagnostic> + 'a {
    shortest_cycles(edges).into_iter().map(|cycle| cycle_problem(migrations, &cycle))
}

/// `cycle` follows the dependencies: each one depends on the next, and the last
/// on the first.
fn cycle_problem(migrations: &[Migration], cycle: &[usize]) -> Diagnostic {
    let step = |at: usize| &migrations[cycle[at % cycle.len()]];
    let path: Vec<_> = (0..=cycle.len()).map(|at| step(at).id.as_str()).collect();
    let message = format!("the dependencies go round in a circle: {}", path.join(" -> "));
    let mut problem = Diagnostic::error(Code::Cycle, message);
    for at in 0..cycle.len() {
        let (one, next) = (step(at), step(at + 1));
        let named = one.header.dependencies.iter().find(|dependency| dependency.id == next.id);
        let span = named.map(|dependency| dependency.span).unwrap_or_default();
        let place = Place::new(&one.source, span, format!("needs {}", next.id));
        problem = if at == 0 { problem.at(place) } else { problem.also(place) };
    }
    problem.help("remove one of these dependencies, or split a migration in two")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Depth, parse, settle};

    /// The messages about files whose headers are `id: dependencies; excluded`.
    fn problems(files: &[&str], broken: &[&str]) -> Vec<String> {
        let file = |line: &&str| {
            let (path, lists) = line.split_once(": ").unwrap();
            let (dependencies, excluded) = lists.split_once(';').unwrap_or((lists, ""));
            let text = format!(
                "-- @dependencies: [{dependencies}]\n-- @exclusiveWith: [{excluded}]\nSELECT 1;"
            );
            parse(format!("{path}.sql").into(), text.into_bytes(), Depth::Tokens)
        };
        let set = settle(files.iter().map(file).collect(), false);
        let broken = broken.iter().map(|id| id.parse().unwrap()).collect();
        let mut found = build(set.migrations, &broken).err().unwrap_or_default();
        Diagnostic::sort(&mut found);
        found.into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn everything_that_prevents_a_graph_is_named_at_once() {
        let cases: [(&[&str], &[&str], &[&str]); 7] = [
            (&["a: ", "b: a;a"], &[], &[]),
            (&["a: x"], &[], &["there is no migration `x`"]),
            (&["a: x"], &["x"], &[]),
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
