//! What must not run at the same time, beside what must not run before something.
//!
//! A migration claims things: a table in a lock mode, a row of the catalogue. Two
//! migrations of which one's claim excludes the other's are kept apart, whichever
//! comes first; that is a second relation beside the dependencies.

use std::collections::BTreeMap;

use crate::graph::{MigrationGraph, Node};

/// One thing that can be claimed, by its number in a [`Separation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource(u32);

/// How a migration claims a resource: two sets, as bits, of up to sixteen ways to
/// hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The ways in which it is held.
    pub holds: u16,
    /// The ways in which nobody else may hold it meanwhile.
    pub excludes: u16,
}

impl Claim {
    /// Nobody else may claim it at all.
    pub const EXCLUSIVE: Self = Self { holds: 1, excludes: 1 };

    /// True when two claims cannot be held at once.
    pub fn conflicts_with(self, other: Self) -> bool {
        self.holds & other.excludes != 0 || other.holds & self.excludes != 0
    }

    fn and(self, other: Self) -> Self {
        Self { holds: self.holds | other.holds, excludes: self.excludes | other.excludes }
    }
}

/// Which migrations of a graph are kept apart, and why.
#[derive(Clone, Debug, Default)]
pub struct Separation {
    /// By [`Node::index`].
    claims: Vec<BTreeMap<Resource, Claim>>,
    /// By [`Node::index`]: why it must run while nothing else does.
    alone: BTreeMap<Node, String>,
    /// By number: what it is, for people.
    names: Vec<String>,
}

impl Separation {
    /// What the authors say: `@exclusiveWith`.
    pub fn declared(graph: &MigrationGraph) -> Self {
        let mut separation = Self { claims: vec![BTreeMap::new(); graph.len()], ..Self::default() };
        for node in graph.nodes() {
            for other in graph.exclusive_with(node).iter().filter(|other| **other > node) {
                let pair = separation.resource("@exclusiveWith");
                separation.claim(node, pair, Claim::EXCLUSIVE);
                separation.claim(*other, pair, Claim::EXCLUSIVE);
            }
        }
        separation
    }

    /// A further thing to claim; `name` says to people what it is.
    pub fn resource(&mut self, name: impl Into<String>) -> Resource {
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.into());
        Resource(number)
    }

    /// Adds to what `node` claims.
    pub fn claim(&mut self, node: Node, resource: Resource, claim: Claim) {
        let held = self.claims[node.index()].entry(resource).or_default();
        *held = held.and(claim);
    }

    /// Makes `node` run while nothing else does.
    pub fn alone(&mut self, node: Node, why: impl Into<String>) {
        self.alone.entry(node).or_insert_with(|| why.into());
    }

    /// Why `node` must run while nothing else does, if it must.
    pub fn is_alone(&self, node: Node) -> Option<&str> {
        self.alone.get(&node).map(String::as_str)
    }

    /// What keeps two migrations apart, if anything does.
    pub fn between(&self, a: Node, b: Node) -> Option<&str> {
        let (few, many) = (&self.claims[a.index()], &self.claims[b.index()]);
        let (few, many) = if few.len() <= many.len() { (few, many) } else { (many, few) };
        let conflict = |(resource, claim): (&Resource, &Claim)| {
            let other = many.get(resource)?;
            claim.conflicts_with(*other).then_some(*resource)
        };
        let resource = few.iter().find_map(conflict)?;
        Some(&self.names[resource.0 as usize])
    }
}
