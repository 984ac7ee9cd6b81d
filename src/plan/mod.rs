//! From a graph and what is applied to what will run: layers, estimates, the
//! critical path, and the queue that decides what starts next.
//!
//! Pure: no thread, no clock, no database. The same input gives the same plan.

mod estimate;
mod queue;
mod separation;
mod simulate;
mod state;
mod waiting;

use std::collections::BTreeSet;
use std::time::Duration;

pub use estimate::{Basis, Estimate, Estimator, InvalidTimings, Timings};
pub use queue::{ReadyQueue, Schedule};
pub use separation::{Claim, Resource, Separation};
pub use simulate::simulate;
pub use state::{Applied, Comparison, Started, Unfinished, compare};

use crate::graph::{MigrationGraph, Node};

/// What will run, and in which order.
///
/// Holds the pending migrations only; each waits for its pending ancestors, also
/// for those it reaches through migrations that are applied already. Computed
/// under the run lock for a run, and never stored.
#[derive(Debug)]
pub struct Plan {
    layers: Vec<Vec<Node>>,
    /// By [`Node::index`]; `None` for what is not pending.
    steps: Vec<Option<Step>>,
    critical_path: Vec<Node>,
    separation: Separation,
}

/// One pending migration.
#[derive(Clone, Debug)]
struct Step {
    layer: usize,
    dependencies: Vec<Node>,
    dependents: Vec<Node>,
    estimate: Estimate,
    /// The estimated time from its start to the end of the longest chain behind it.
    remaining: Duration,
}

impl Plan {
    /// Plans `wanted` (a table by [`Node::index`]) without what is in `applied`.
    /// `separation` is of the same graph.
    pub fn new(
        graph: &MigrationGraph,
        wanted: &[bool],
        applied: &BTreeSet<Node>,
        estimator: &Estimator,
        separation: Separation,
    ) -> Self {
        let pending = |node: Node| wanted[node.index()] && !applied.contains(&node);
        let mut steps: Vec<Option<Step>> = graph.nodes().map(|_| None).collect();
        let mut layers: Vec<Vec<Node>> = Vec::new();
        for (node, dependencies) in pending_dependencies(graph, &pending) {
            let layer = dependencies.iter().filter_map(|it| steps[it.index()].as_ref());
            let layer = layer.map(|step| step.layer + 1).max().unwrap_or(0);
            if layers.len() <= layer {
                layers.resize(layer + 1, Vec::new());
            }
            layers[layer].push(node);
            for dependency in &dependencies {
                if let Some(step) = &mut steps[dependency.index()] {
                    step.dependents.push(node);
                }
            }
            steps[node.index()] = Some(Step {
                layer,
                dependencies,
                dependents: Vec::new(),
                estimate: estimator.estimate(graph.migration(node)),
                remaining: Duration::ZERO,
            });
        }
        layers.iter_mut().for_each(|layer| layer.sort_unstable());
        let mut plan = Self { layers, steps, critical_path: Vec::new(), separation };
        plan.find_critical_path();
        plan
    }

    /// Migrations whose longest distance from a pending root is equal, in the
    /// order of their ids. Never holds an empty layer.
    pub fn layers(&self) -> &[Vec<Node>] {
        &self.layers
    }

    /// How many migrations will run.
    pub fn len(&self) -> usize {
        self.layers.iter().map(Vec::len).sum()
    }

    /// True when nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// All pending migrations, layer by layer.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.layers.iter().flatten().copied()
    }

    /// The layer of `node`, from 0; `None` when it is not pending.
    pub fn layer(&self, node: Node) -> Option<usize> {
        self.step(node).map(|step| step.layer)
    }

    /// The pending migrations that `node` waits for.
    pub fn dependencies(&self, node: Node) -> &[Node] {
        self.step(node).map_or(&[], |step| &step.dependencies)
    }

    /// The pending migrations that wait for `node`.
    pub fn dependents(&self, node: Node) -> &[Node] {
        self.step(node).map_or(&[], |step| &step.dependents)
    }

    /// What must not run at the same time.
    pub fn separation(&self) -> &Separation {
        &self.separation
    }

    /// How long `node` is expected to take; `None` when it is not pending.
    pub fn estimate(&self, node: Node) -> Option<Estimate> {
        self.step(node).map(|step| step.estimate)
    }

    /// The estimated time from the start of `node` to the end of the longest
    /// chain behind it: the scheduler's priority.
    pub fn remaining(&self, node: Node) -> Duration {
        self.step(node).map_or(Duration::ZERO, |step| step.remaining)
    }

    /// The chain that no number of workers can shorten, from its root on.
    pub fn critical_path(&self) -> &[Node] {
        &self.critical_path
    }

    /// The estimated length of the critical path.
    pub fn critical_time(&self) -> Duration {
        self.critical_path.first().map_or(Duration::ZERO, |first| self.remaining(*first))
    }

    /// How many places a table by [`Node::index`] needs.
    fn table_len(&self) -> usize {
        self.steps.len()
    }

    fn step(&self, node: Node) -> Option<&Step> {
        self.steps.get(node.index())?.as_ref()
    }

    /// Fills `remaining` from the leaves up and follows the longest chain down.
    fn find_critical_path(&mut self) {
        for layer in self.layers.iter().rev() {
            for node in layer {
                let behind = self.dependents(*node).iter().map(|it| self.remaining(*it)).max();
                if let Some(step) = &mut self.steps[node.index()] {
                    step.remaining = step.estimate.time + behind.unwrap_or_default();
                }
            }
        }
        let longest = |nodes: &[Node]| {
            nodes
                .iter()
                .copied()
                .max_by_key(|node| (self.remaining(*node), std::cmp::Reverse(*node)))
        };
        let mut path = Vec::new();
        let mut at = self.layers.first().and_then(|roots| longest(roots));
        while let Some(node) = at {
            path.push(node);
            at = longest(self.dependents(node));
        }
        self.critical_path = path;
    }
}

/// Each pending node behind its pending dependencies, with these. An applied
/// migration between two pending ones hands on what it waits for.
fn pending_dependencies(
    graph: &MigrationGraph,
    pending: &impl Fn(Node) -> bool,
) -> Vec<(Node, Vec<Node>)> {
    let mut reaches: Vec<BTreeSet<Node>> = vec![BTreeSet::new(); graph.len()];
    let mut found = Vec::new();
    for node in graph.topological().iter().copied() {
        let mut nearest = BTreeSet::new();
        for dependency in graph.dependencies(node) {
            nearest.extend(&reaches[dependency.index()]);
        }
        if pending(node) {
            found.push((node, nearest.into_iter().collect()));
            reaches[node.index()] = BTreeSet::from([node]);
        } else {
            reaches[node.index()] = nearest;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph;
    use crate::parse::{Depth, Unlisted, parse, settle};

    /// `a b<a c<a,b`: c depends on a and b.
    fn graph_of(text: &str) -> MigrationGraph {
        let file = |entry: &str| {
            let (id, parents) = entry.split_once('<').unwrap_or((entry, ""));
            let text = format!("-- @dependencies: [{parents}]\nSELECT 1;");
            parse(format!("{id}.sql").into(), text.into_bytes(), Depth::Tokens)
        };
        let set = settle(text.split_whitespace().map(file).collect(), Unlisted::Refuse);
        graph::build(set.migrations, &set.broken).unwrap()
    }

    /// The plan without `applied`, where `slow` (`a:5`, in milliseconds) takes longer
    /// than the one millisecond of the others.
    fn plan_of(graph: &MigrationGraph, applied: &str, slow: &str) -> Plan {
        let node = |id: &str| graph.node(&id.parse().unwrap()).unwrap();
        let slow = slow.split_whitespace().map(|entry| entry.split_once(':').unwrap());
        let slow = slow.map(|(id, ms)| (id.to_owned(), ms.parse().unwrap()));
        let rest = graph.ids().map(|id| (id.to_string(), 1.0));
        let timings = slow.collect::<Timings>().or(&rest.collect());
        let estimator = Estimator::new(timings, []);
        let applied = applied.split_whitespace().map(node).collect();
        Plan::new(
            graph,
            &vec![true; graph.len()],
            &applied,
            &estimator,
            Separation::declared(graph),
        )
    }

    fn ids(graph: &MigrationGraph, nodes: &[Node]) -> String {
        nodes.iter().map(|node| graph.id(*node).as_str()).collect::<Vec<_>>().join(" ")
    }

    fn layers(graph: &MigrationGraph, plan: &Plan) -> String {
        let layers: Vec<_> = plan.layers().iter().map(|layer| ids(graph, layer)).collect();
        layers.join(" | ")
    }

    #[test]
    fn a_layer_is_the_longest_distance_from_a_root() {
        let cases = [
            // (why, `child<parents`, applied, expected layers)
            ("nothing to do", "a b<a", "a b", ""),
            ("independent roots share a layer", "a b", "", "a b"),
            ("in the order of their ids", "b a", "", "a b"),
            ("a diamond joins once", "a b<a c<a d<b,c", "", "a | b c | d"),
            ("a shortcut does not pull a node up", "a b<a c<a,b", "", "a | b | c"),
            ("what is applied is no layer", "a b<a c<b", "a", "b | c"),
            ("an ancestor is waited for through an applied one", "a b<a c<b", "b", "a | c"),
            ("and through several", "a b<a c<b d<c e<a", "b c", "a | d e"),
            ("a pending root beside applied ones", "a b c<a,b", "a", "b | c"),
        ];
        for (why, text, applied, expected) in cases {
            let graph = graph_of(text);
            assert_eq!(layers(&graph, &plan_of(&graph, applied, "")), expected, "{why}: {text}");
        }
    }

    #[test]
    fn the_critical_path_is_the_longest_chain_of_pending_ones() {
        let cases = [
            ("by time, not by number", "a b<a c<b d", "", "d:9", "d", 9),
            ("ties go to the smaller id", "a b c<a d<b", "", "", "a c", 2),
            ("a slow leaf pulls it over", "a b<a c<a", "", "c:5", "a c", 6),
            ("through what is applied", "a b<a c<b", "b", "b:9", "a c", 2),
            ("of nothing", "a", "a", "", "", 0),
        ];
        for (why, text, applied, slow, path, ms) in cases {
            let graph = graph_of(text);
            let plan = plan_of(&graph, applied, slow);
            assert_eq!(ids(&graph, plan.critical_path()), path, "{why}");
            assert_eq!(plan.critical_time(), Duration::from_millis(ms), "{why}");
        }
    }

    #[test]
    fn an_unwanted_migration_is_not_planned() {
        let graph = graph_of("a b<a c");
        let wanted = graph.with_ancestors(&[graph.node(&"b".parse().unwrap()).unwrap()]);
        let estimator = Estimator::new(Timings::default(), []);
        let plan =
            Plan::new(&graph, &wanted, &BTreeSet::new(), &estimator, Separation::declared(&graph));
        assert_eq!(layers(&graph, &plan), "a | b");
    }
}
