//! The dependencies that a history implies.

use std::collections::{BTreeMap, HashMap};

use super::needs::{Need, Strictness, Why, reason};
use super::order::Ancestors;
use crate::model::Span;
use crate::sql::{Cell, Footprint, Op, Touch};

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
    fn before(&self, op: Op) -> Vec<(usize, Touch, Op)> {
        let tag = |op: Op| move |(node, touch): &(usize, Touch)| (*node, *touch, op);
        let writes = self.write.iter().map(tag(Op::Write));
        let adds = self.adds.iter().map(tag(Op::Add));
        let reads = self.reads.iter().map(tag(Op::Read));
        match op {
            Op::Read => writes.chain(adds).collect(),
            // Of columns that were added, the last one stands for all.
            Op::Add => writes.chain(reads).chain(self.adds.last().map(tag(Op::Add))).collect(),
            Op::Write => writes.chain(adds).chain(reads).collect(),
        }
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
    let mut states: HashMap<Cell, State> = HashMap::new();
    let mut ancestors = Ancestors::new(history.len());
    let mut all = Vec::with_capacity(history.len());
    for (node, footprint) in history.iter().enumerate() {
        let wanted = wanted(footprint, node, &states, strictness);
        all.push(reduced(node, wanted, &mut ancestors));
        for (cell, op, touch) in footprint.touches() {
            states.entry(cell).or_default().record(node, op, touch);
        }
    }
    all
}

/// Every earlier migration that this one must come behind, with the best reason.
fn wanted(
    footprint: &Footprint,
    node: usize,
    states: &HashMap<Cell, State>,
    strictness: Strictness,
) -> Inferred {
    let mut wanted = Inferred::new();
    for (cell, op, touch) in footprint.touches() {
        let Some(state) = states.get(&cell) else { continue };
        for (earlier, before, done) in state.before(op) {
            let Some(why) = reason(cell, done, op, strictness) else { continue };
            if earlier == node {
                continue;
            }
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

/// Hard reasons first, then those about a thing rather than a name, then the
/// plainest.
fn rank(need: &Need) -> (bool, bool, Why) {
    (need.soft, matches!(need.cell, Cell::Name(_)), need.why)
}

/// Leaves out what another of them is behind already. The latest come first: only
/// a later one can be behind an earlier one.
fn reduced(node: usize, wanted: Inferred, ancestors: &mut Ancestors) -> Inferred {
    let mut kept = Inferred::new();
    for (earlier, need) in wanted.into_iter().rev() {
        if !ancestors.contains(node, earlier) {
            ancestors.add(node, earlier);
            kept.insert(earlier, need);
        }
    }
    kept
}
