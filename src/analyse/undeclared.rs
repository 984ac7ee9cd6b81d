//! Pairs of migrations that no dependency orders although their order matters.

use std::collections::{BTreeMap, HashMap};

use super::analysis::Analysis;
use super::needs::{Need, Strictness, Why, rank, reason};
use super::order::Ancestors;
use crate::graph::{MigrationGraph, Node};
use crate::sql::{Cell, Op, Touch};

/// Two migrations without an order, and why they need one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undeclared {
    /// What must come first.
    pub earlier: Node,
    /// What lacks the dependency on it.
    pub later: Node,
    /// The best reason. Its spans are those of the two scripts.
    pub need: Need,
}

/// One touch of a cell, by place in the replay.
type Event = (usize, Op, Touch);

/// The touches of a cell so far, apart: of a cell that all read, and that is most
/// of them, nothing has to be compared.
#[derive(Default)]
struct Before {
    reads: Vec<Event>,
    adds: Vec<Event>,
    writes: Vec<Event>,
}

impl Before {
    /// Those that do not commute with `op`, or not always.
    fn of(&self, op: Op, strictness: Strictness) -> impl Iterator<Item = Event> {
        let adds = op != Op::Add || strictness == Strictness::Strict;
        let adds = if adds { self.adds.as_slice() } else { &[] };
        let reads = if op == Op::Read { &[] } else { self.reads.as_slice() };
        self.writes.iter().chain(adds).chain(reads).copied()
    }

    fn record(&mut self, place: usize, op: Op, touch: Touch) {
        let list = match op {
            Op::Read => &mut self.reads,
            Op::Add => &mut self.adds,
            Op::Write => &mut self.writes,
        };
        list.push((place, op, touch));
    }
}

/// The pairs of `graph` that lack an order, as few as put all right: what follows
/// from a dependency that is declared or from another pair is left out. Under
/// [`Strictness::Relaxed`] only those of which one order fails or has another
/// schema or other data.
///
/// Exact rather than complete: what only the body of an uncalled function says, and
/// what a statement may do that could not be read, is no reason here.
pub fn undeclared(
    graph: &MigrationGraph,
    analysis: &Analysis,
    strictness: Strictness,
) -> Vec<Undeclared> {
    let declared = analysis.declared();
    let mut wanted: Vec<BTreeMap<usize, Need>> = vec![BTreeMap::new(); analysis.order().len()];
    for (cell, events) in events(analysis) {
        let mut before = Before::default();
        for (place, op, touch) in events {
            for (earlier, done, theirs) in before.of(op, strictness) {
                let Some(why) = reason(cell, done, op, strictness) else { continue };
                if earlier == place || declared.contains(place, earlier) {
                    continue;
                }
                let need = Need { cell, why, earlier: theirs.span, later: touch.span, soft: false };
                let known = wanted[place].entry(earlier).or_insert(need);
                if rank(&need) < rank(known) {
                    *known = need;
                }
            }
            before.record(place, op, touch);
        }
    }
    let pairs = reduced(graph, analysis, wanted);
    pairs.into_iter().map(|pair| turned(analysis, pair)).collect()
}

/// What is said for certain, by cell, in the order of the replay.
fn events(analysis: &Analysis) -> Vec<(Cell, Vec<Event>)> {
    let mut by_cell: HashMap<Cell, Vec<Event>> = HashMap::new();
    for (place, footprint) in analysis.footprints().iter().enumerate() {
        for (cell, op, touch) in footprint.touches() {
            if !touch.soft && !analysis.catalogue().is_anything(cell) {
                by_cell.entry(cell).or_default().push((place, op, touch));
            }
        }
    }
    let mut all: Vec<_> = by_cell.into_iter().collect();
    all.retain(|(_, events)| events.len() > 1);
    all.sort_unstable_by_key(|(cell, _)| *cell);
    all
}

/// Only the pairs that neither a dependency nor another pair implies.
fn reduced(
    graph: &MigrationGraph,
    analysis: &Analysis,
    wanted: Vec<BTreeMap<usize, Need>>,
) -> Vec<Undeclared> {
    let mut ancestors = Ancestors::new(wanted.len());
    let mut found = Vec::new();
    for (place, needs) in wanted.into_iter().enumerate() {
        let later = analysis.order()[place];
        for dependency in graph.dependencies(later) {
            ancestors.add(place, analysis.place(dependency));
        }
        for (before, need) in needs.into_iter().rev() {
            if !ancestors.contains(place, before) {
                ancestors.add(place, before);
                found.push(Undeclared { earlier: analysis.order()[before], later, need });
            }
        }
    }
    found
}

/// The replay had what uses something first, when its id is the smaller one: then
/// there was nothing to be used, and it is the other that must come first.
fn turned(analysis: &Analysis, pair: Undeclared) -> Undeclared {
    let Undeclared { earlier, later, need } = pair;
    let touch = analysis.footprint(earlier).touch(need.cell, Op::Read);
    if need.why != Why::ChangesUsed || !touch.is_some_and(|touch| touch.missing) {
        return pair;
    }
    let need = Need { why: Why::Uses, earlier: need.later, later: need.earlier, ..need };
    Undeclared { earlier: later, later: earlier, need }
}
