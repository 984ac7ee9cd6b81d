//! From migrations to a graph that is known to be acyclic.
//!
//! [`build`] is the only way to make a [`MigrationGraph`], so whoever holds one
//! need not ask whether an id exists or whether there is an order.

mod build;
mod cycles;

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

pub use build::build;

use crate::model::{Migration, MigrationId};

/// A migration's place in its graph: the rank of its id, from 0.
///
/// Valid only for the graph it came from. Comparing two compares their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u32);

impl Node {
    fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The rank as an index into a table with one entry for each migration.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Migrations and their dependencies: acyclic, complete, in the order of ids.
#[derive(Debug, Default)]
pub struct MigrationGraph {
    migrations: Vec<Migration>,
    by_id: BTreeMap<MigrationId, Node>,
    /// An edge leads from a dependency to what depends on it.
    edges: DiGraph<(), ()>,
    /// Every node behind all that it depends on.
    topological: Vec<Node>,
    /// `@exclusiveWith` in both directions.
    exclusive: Vec<Vec<Node>>,
}

impl MigrationGraph {
    /// How many migrations it holds.
    pub fn len(&self) -> usize {
        self.migrations.len()
    }

    /// True when it holds none.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }

    /// All nodes in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + use<> {
        (0..self.migrations.len()).map(Node::new)
    }

    /// The migration at `node`.
    pub fn migration(&self, node: Node) -> &Migration {
        &self.migrations[node.index()]
    }

    /// The id of the migration at `node`.
    pub fn id(&self, node: Node) -> &MigrationId {
        &self.migrations[node.index()].id
    }

    /// Where `id` is, if it is.
    pub fn node(&self, id: &MigrationId) -> Option<Node> {
        self.by_id.get(id).copied()
    }

    /// All ids in order.
    pub fn ids(&self) -> impl Iterator<Item = &MigrationId> {
        self.by_id.keys()
    }

    /// What `node` depends on directly, in order.
    pub fn dependencies(&self, node: Node) -> Vec<Node> {
        self.neighbours(node, Direction::Incoming)
    }

    /// What depends on `node` directly, in order.
    pub fn dependents(&self, node: Node) -> Vec<Node> {
        self.neighbours(node, Direction::Outgoing)
    }

    /// What must not run beside `node` by its author's word, in order.
    pub fn exclusive_with(&self, node: Node) -> &[Node] {
        &self.exclusive[node.index()]
    }

    /// Every node behind all that it depends on.
    pub fn topological(&self) -> &[Node] {
        &self.topological
    }

    /// `nodes` and everything they depend on, as a table by [`Node::index`].
    pub fn with_ancestors(&self, nodes: &[Node]) -> Vec<bool> {
        let mut wanted = vec![false; self.len()];
        for node in nodes {
            wanted[node.index()] = true;
        }
        for node in self.topological.iter().rev() {
            if wanted[node.index()] {
                for dependency in self.dependencies(*node) {
                    wanted[dependency.index()] = true;
                }
            }
        }
        wanted
    }

    fn neighbours(&self, node: Node, direction: Direction) -> Vec<Node> {
        let found = self.edges.neighbors_directed(NodeIndex::new(node.index()), direction);
        let mut nodes: Vec<_> = found.map(|index| Node::new(index.index())).collect();
        nodes.sort_unstable();
        nodes
    }
}
