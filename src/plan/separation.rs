//! What must not run at the same time, beside what must not run before something.
//!
//! A migration claims things: a table in a lock mode, a row of the catalogue. Two
//! migrations of which one's claim excludes the other's are kept apart, whichever
//! comes first; that is a second relation beside the dependencies.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::analyse::Analysis;
use crate::graph::{MigrationGraph, Node};
use crate::sql::{Aspect, Catalogue, Cell, Footprint, ObjectId, Op};

/// One thing that can be claimed, by its number in a [`Separation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(u32);

/// How a migration claims a resource: two sets, as bits, of up to sixteen ways to
/// hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

    /// Adds what the SQL says: locks on tables, rows of the catalogue, tables on which
    /// somebody works `CONCURRENTLY`, and what must run alone because it drops what
    /// PostgreSQL does not lock, or cannot be read.
    #[must_use]
    pub fn analysed(mut self, graph: &MigrationGraph, analysis: &Analysis) -> Self {
        let wanted = wanted_by_several(graph, analysis);
        let mut rivals: BTreeMap<Key, Vec<(Node, Claim)>> = BTreeMap::new();
        for node in graph.nodes() {
            let footprint = analysis.footprint(node);
            for (key, claim) in claims_of(footprint).filter(|(key, _)| wanted.contains(key)) {
                rivals.entry(key).or_default().push((node, claim));
            }
            let mut alone = footprint.barriers().iter().chain(footprint.opaque());
            if let Some(remark) = alone.find(|remark| !remark.soft) {
                self.alone(node, remark.why);
            }
        }
        for (key, claims) in rivals {
            // Many have only readers.
            let all = claims.iter().fold(Claim::default(), |all, (_, claim)| all.and(*claim));
            if claims.len() > 1 && all.conflicts_with(all) {
                let resource = self.resource(key.describe(analysis.catalogue()));
                claims.into_iter().for_each(|(node, claim)| self.claim(node, resource, claim));
            }
        }
        self
    }

    /// A number for each migration, by [`Node::index`]: the same for those that claim
    /// the same things in the same ways.
    pub(super) fn classes(&self) -> Vec<usize> {
        let mut known = FxHashMap::default();
        let mut number = |claims| {
            let next = known.len();
            *known.entry(claims).or_insert(next)
        };
        self.claims.iter().map(&mut number).collect()
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

    /// Which of `nodes` are kept apart by what, in the order of the resources. Not each
    /// two of a group need be: two that only read a table may stand beside one that
    /// changes it.
    pub fn groups(&self, nodes: &[Node]) -> Vec<(&str, Vec<Node>)> {
        let mut by_resource: BTreeMap<Resource, Vec<(Node, Claim)>> = BTreeMap::new();
        for node in nodes {
            for (resource, claim) in &self.claims[node.index()] {
                by_resource.entry(*resource).or_default().push((*node, *claim));
            }
        }
        let rivals = by_resource.into_iter().filter(|(_, group)| has_rivals(group));
        let named = |(resource, group): (Resource, Vec<(Node, Claim)>)| {
            let name = self.names[resource.0 as usize].as_str();
            (name, group.into_iter().map(|(node, _)| node).collect())
        };
        // A table has a name for its lock and the same for work on it `CONCURRENTLY`.
        let mut told = FxHashSet::default();
        rivals.map(named).filter(|group| told.insert(group.clone())).collect()
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

/// True when two of a group cannot be held at once.
fn has_rivals(group: &[(Node, Claim)]) -> bool {
    let holders = |bit: u16| group.iter().filter(|(_, claim)| claim.holds & bit != 0).count();
    (0..u16::BITS).map(|at| 1 << at).any(|bit| {
        let holders = holders(bit);
        group.iter().any(|(_, claim)| {
            claim.excludes & bit != 0 && holders > usize::from(claim.holds & bit != 0)
        })
    })
}

/// What a footprint can claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// A relation's lock.
    Lock(ObjectId),
    /// A table, against those who work `CONCURRENTLY` on it.
    Concurrently(ObjectId),
    /// A row of the catalogue, or a name in it.
    Row(Cell),
}

impl Key {
    fn describe(self, catalogue: &Catalogue) -> String {
        match self {
            Self::Lock(id) | Self::Concurrently(id) => {
                format!("{} {}", catalogue.kind(id).as_str(), catalogue.name(id))
            }
            Self::Row(cell) => catalogue.describe(cell),
        }
    }
}

/// Whoever locks a table at all keeps off those who work on it `CONCURRENTLY`: they
/// would deadlock and leave an INVALID index (PG-FACTS 3).
const LOCKS: Claim = Claim { holds: 2, excludes: 1 };
const BUILDS: Claim = Claim { holds: 1, excludes: 3 };

fn claims_of(footprint: &Footprint) -> impl Iterator<Item = (Key, Claim)> {
    let locks = footprint.locks().flat_map(|(relation, modes, _)| {
        let (holds, excludes) = (u16::from(modes.bits()), u16::from(modes.conflicting().bits()));
        [(Key::Lock(relation), Claim { holds, excludes }), (Key::Concurrently(relation), LOCKS)]
    });
    let builds = footprint.concurrent().iter();
    let builds = builds.map(|(table, _)| (Key::Concurrently(*table), BUILDS));
    let written = footprint
        .touches()
        .filter(|(cell, op, touch)| *op != Op::Read && !touch.soft && is_row(*cell));
    let rows = written.map(|(cell, _, _)| (Key::Row(cell), Claim::EXCLUSIVE));
    locks.chain(builds).chain(rows)
}

/// What more than one migration claims: by far the fewest.
fn wanted_by_several(graph: &MigrationGraph, analysis: &Analysis) -> FxHashSet<Key> {
    let mut first = FxHashMap::default();
    let mut several = FxHashSet::default();
    for node in graph.nodes() {
        let others = claims_of(analysis.footprint(node))
            .filter(|(key, _)| *first.entry(*key).or_insert(node) != node);
        several.extend(others.map(|(key, _)| key));
    }
    several
}

/// Two sessions that write one row of the catalogue: `tuple concurrently updated`
/// (PG-FACTS 2).
fn is_row(cell: Cell) -> bool {
    match cell {
        Cell::Name(_) => true,
        Cell::Object(_, aspect) => matches!(aspect, Aspect::Definition | Aspect::Privileges),
    }
}
