//! The dependencies that a history implies.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::needs::{Need, Strictness, Why, in_vain, rank, reason};
use super::order::implied;
use crate::model::Span;
use crate::sql::{Aspect, Cell, Footprint, Op, Touch};

/// The dependencies of one migration: each an earlier one, by its place in the
/// history, with a reason. None is implied by the others.
pub type Inferred = BTreeMap<usize, Need>;

/// What has happened to a cell since it was last changed.
#[derive(Default)]
struct State {
    /// Who changed it last, and where.
    write: Option<(usize, Touch)>,
    /// Who has added to it since.
    adds: Vec<(usize, Touch)>,
    /// Who has read it since.
    reads: Vec<(usize, Touch)>,
}

impl State {
    /// Those whom a migration that does `op` must come behind.
    fn before(&self, op: Op) -> impl Iterator<Item = (usize, Touch, Op)> {
        let (adds, reads): (&[_], &[_]) = match op {
            Op::Read => (&self.adds, &[]),
            // Of columns that were added, the last one stands for all.
            Op::Add => (&self.adds[self.adds.len().saturating_sub(1)..], &self.reads),
            Op::Write => (&self.adds, &self.reads),
        };
        let tag = |op: Op| move |(node, touch): &(usize, Touch)| (*node, *touch, op);
        let writes = self.write.iter().map(tag(Op::Write));
        // The first of the best reasons is the one that is shown.
        let (first, second) = match op {
            Op::Add => (reads.iter().map(tag(Op::Read)), adds.iter().map(tag(Op::Add))),
            Op::Read | Op::Write => {
                (adds.iter().map(tag(Op::Add)), reads.iter().map(tag(Op::Read)))
            }
        };
        writes.chain(first).chain(second)
    }

    fn record(&mut self, node: usize, op: Op, touch: Touch) {
        match op {
            Op::Read => self.reads.push((node, touch)),
            Op::Add => self.adds.push((node, touch)),
            Op::Write => *self = Self { write: Some((node, touch)), ..Self::default() },
        }
    }
}

/// The dependencies of each migration of a history, given in its order: every
/// order that they permit has the result of that order.
///
/// A reason that only an uncalled function's body gives is the weakest: it is shown
/// only when there is no other.
pub fn infer(history: &[Footprint], strictness: Strictness) -> Vec<Inferred> {
    let mut all = wanted(history, strictness, |_, _| true);
    let parents: Vec<Vec<usize>> = all.iter().map(|one| one.keys().copied().collect()).collect();
    for (one, by) in all.iter_mut().zip(implied(&parents)) {
        let mut by = by.into_iter();
        one.retain(|_, _| by.next().flatten().is_none());
    }
    all
}

/// Every earlier migration that each one must come behind, with the best reason; those
/// included that others imply. `counts` says which touches are a reason.
pub(super) fn wanted(
    history: &[Footprint],
    strictness: Strictness,
    counts: impl Fn(Cell, Touch) -> bool,
) -> Vec<Inferred> {
    let shared = shared_cells(history);
    let mut states = FxHashMap::default();
    let mut all = Vec::with_capacity(history.len());
    for (node, footprint) in history.iter().enumerate() {
        let matters = |cell, touch| shared.contains(&cell) && counts(cell, touch);
        let touches = || footprint.touches().filter(|(cell, _, touch)| matters(*cell, *touch));
        all.push(wanted_by_one(touches(), &states, strictness));
        for (cell, op, touch) in touches() {
            states.entry(cell).or_default().record(node, op, touch);
        }
    }
    all
}

/// The cells that more than one migration touches: by far the fewest. In which order
/// rows stand counts only where somebody reads it.
fn shared_cells(history: &[Footprint]) -> FxHashSet<Cell> {
    // One entry for each cell of the history: with a whole word each it would be the
    // largest thing in memory.
    let mut first: FxHashMap<Cell, u32> = FxHashMap::default();
    let mut shared = FxHashSet::default();
    let mut orders_read = FxHashSet::default();
    for (node, footprint) in (0_u32..).zip(history) {
        for (cell, op, _) in footprint.touches() {
            if *first.entry(cell).or_insert(node) != node {
                shared.insert(cell);
            }
            if op == Op::Read && is_row_order(cell) {
                orders_read.insert(cell);
            }
        }
    }
    shared.retain(|cell| !is_row_order(*cell) || orders_read.contains(cell));
    shared
}

fn is_row_order(cell: Cell) -> bool {
    matches!(cell, Cell::Object(_, Aspect::RowOrder | Aspect::RowPlace))
}

fn wanted_by_one(
    touches: impl Iterator<Item = (Cell, Op, Touch)>,
    states: &FxHashMap<Cell, State>,
    strictness: Strictness,
) -> Inferred {
    let mut wanted = Inferred::new();
    for (cell, op, touch) in touches {
        let Some(state) = states.get(&cell) else { continue };
        for (earlier, before, done) in state.before(op) {
            let Some(why) = reason(cell, done, op, strictness) else { continue };
            let why = in_vain((done, before), (op, touch)).unwrap_or(why);
            let need = need(cell, why, (before.span, touch.span), before.soft || touch.soft);
            let known = wanted.entry(earlier).or_insert(need);
            if rank(&need) < rank(known) {
                *known = need;
            }
        }
    }
    wanted
}

fn need(cell: Cell, why: Why, (earlier, later): (Span, Span), soft: bool) -> Need {
    Need { cell, why, earlier, later, soft }
}

#[cfg(test)]
mod tests;
