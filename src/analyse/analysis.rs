//! All migrations of a graph, replayed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::graph::{MigrationGraph, Node};
use crate::parse::Readings;
use crate::sql::{Catalogue, Footprint};

/// What the migrations of a graph touch, found out by replaying them in an order
/// that the graph permits: of those whose dependencies are met, the smallest id
/// comes next. For most histories that is the order in which they were written.
#[derive(Debug)]
pub struct Analysis {
    catalogue: Catalogue,
    /// In the order of the replay.
    order: Vec<Node>,
    /// In the order of the replay.
    footprints: Vec<Footprint>,
    /// By [`Node::index`]: the place in the replay.
    places: Vec<usize>,
}

impl Analysis {
    /// Replays `readings`, which hold what the scripts of `graph` say. Each is gone when
    /// it has been replayed: they take more memory than what comes out.
    pub fn new(graph: &MigrationGraph, mut readings: Readings) -> Self {
        let order = replay_order(graph);
        let mut catalogue = Catalogue::default();
        let mut replay = |node: &Node| {
            let script = readings.remove(graph.id(*node)).unwrap_or_default();
            catalogue.replay(&script)
        };
        let footprints = order.iter().map(&mut replay).collect();
        let mut places = vec![0; graph.len()];
        for (place, node) in order.iter().enumerate() {
            places[node.index()] = place;
        }
        Self { catalogue, order, footprints, places }
    }

    /// What knows the names of objects.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The migrations in the order in which they were replayed.
    pub fn order(&self) -> &[Node] {
        &self.order
    }

    /// The footprints in the order of the replay. Spans are those of the scripts.
    pub fn footprints(&self) -> &[Footprint] {
        &self.footprints
    }

    /// What `node` touches.
    pub fn footprint(&self, node: Node) -> &Footprint {
        &self.footprints[self.places[node.index()]]
    }

    /// The place of `node` in the replay.
    pub(super) fn place(&self, node: Node) -> usize {
        self.places[node.index()]
    }
}

fn replay_order(graph: &MigrationGraph) -> Vec<Node> {
    let mut missing: Vec<usize> =
        graph.nodes().map(|node| graph.dependencies(node).len()).collect();
    let roots = graph.nodes().filter(|node| missing[node.index()] == 0).map(Reverse);
    let mut ready: BinaryHeap<_> = roots.collect();
    let mut order = Vec::with_capacity(graph.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for dependent in graph.dependents(node) {
            missing[dependent.index()] -= 1;
            if missing[dependent.index()] == 0 {
                ready.push(Reverse(dependent));
            }
        }
    }
    order
}
