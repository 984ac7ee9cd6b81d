//! Dependencies that stand the wrong way round.
//!
//! The order of two migrations is declared, and the first one uses what only the second
//! one makes: on an empty database it fails. A baseline elsewhere is no excuse, since
//! then making it would fail, unless it is content with what is there.

use rustc_hash::FxHashMap;

use super::needs::{Need, Why};
use super::undeclared::Undeclared;
use crate::sql::{Cell, Footprint, Op, Touch};

/// Pairs of which one depends on the other, by what `declared` says, although it uses
/// what that makes first of all; given footprints in an order that `declared` permits.
/// `counts` says of which names it is certain that nothing has them by itself.
pub fn backwards(
    order: &[Footprint],
    declared: &[Vec<usize>],
    counts: impl Fn(Cell) -> bool,
) -> Vec<Undeclared> {
    let mut seekers: FxHashMap<Cell, Vec<(usize, Touch)>> = FxHashMap::default();
    let mut found = Vec::new();
    for (node, footprint) in order.iter().enumerate() {
        for (cell, op, touch) in footprint.touches().filter(|(_, _, touch)| !touch.soft) {
            if op == Op::Read && touch.missing && counts(cell) {
                seekers.entry(cell).or_default().push((node, touch));
            } else if op == Op::Write && !seekers.is_empty() {
                let before = seekers.remove(&cell).unwrap_or_default();
                let others = before.into_iter().filter(|(seeker, _)| *seeker != node);
                let made = others.filter(|_| !touch.gone);
                found.extend(made.map(|seeker| pair(cell, seeker, (node, touch))));
            }
        }
    }
    found.retain(|it| depends(declared, it.dependency, it.dependent));
    found.sort_unstable_by_key(|it| (it.dependent, it.dependency, it.need.cell));
    found.dedup_by_key(|it| (it.dependent, it.dependency));
    found
}

fn pair(cell: Cell, seeker: (usize, Touch), maker: (usize, Touch)) -> Undeclared {
    let ((dependent, used), (dependency, made)) = (seeker, maker);
    let why = Why::MakesMissing;
    let need = Need { cell, why, earlier: used.span, later: made.span, soft: false };
    Undeclared { dependent, dependency, need }
}

/// True when `later` depends on `earlier`, directly or not.
fn depends(declared: &[Vec<usize>], later: usize, earlier: usize) -> bool {
    let mut seen = vec![false; later + 1];
    let mut pending = vec![later];
    while let Some(node) = pending.pop() {
        if node == earlier {
            return true;
        }
        let parents = declared.get(node).into_iter().flatten();
        for parent in parents.filter(|it| **it >= earlier) {
            if !std::mem::replace(&mut seen[*parent], true) {
                pending.push(*parent);
            }
        }
    }
    false
}
