//! What the headers of a graph lack.

use std::collections::HashMap;

use super::infer::{State, wanted};
use super::needs::{Need, Strictness, Why};
use super::order::Ancestors;
use crate::sql::{Cell, Footprint, Touch};

/// A dependency that nobody declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undeclared {
    /// The migration that lacks it, by its place in the order.
    pub dependent: usize,
    /// The one that it needs.
    pub dependency: usize,
    /// Why.
    pub need: Need,
}

/// The dependencies that are missing, given footprints in an order that the
/// declared ones permit, and for each migration those that it declares.
///
/// None is reported that the declared ones and those reported imply: who adds
/// them all has a graph without an error. `counts` says which touches are a reason.
pub fn undeclared(
    order: &[Footprint],
    declared: &[Vec<usize>],
    strictness: Strictness,
    counts: impl Fn(Cell, Touch) -> bool,
) -> Vec<Undeclared> {
    let mut states: HashMap<Cell, State> = HashMap::new();
    let mut ancestors = Ancestors::new(order.len());
    let mut found = Vec::new();
    for (node, footprint) in order.iter().enumerate() {
        for parent in declared.get(node).into_iter().flatten() {
            ancestors.add(node, *parent);
        }
        let touches = || footprint.touches().filter(|(cell, _, touch)| counts(*cell, *touch));
        for (earlier, need) in wanted(touches(), node, &states, strictness).into_iter().rev() {
            if !ancestors.contains(node, earlier) {
                ancestors.add(node, earlier);
                found.push(report(earlier, node, need));
            }
        }
        for (cell, op, touch) in touches() {
            states.entry(cell).or_default().record(node, op, touch);
        }
    }
    found
}

/// Whoever looked for something that only came later needs the one that made it.
fn report(earlier: usize, later: usize, need: Need) -> Undeclared {
    if need.why == Why::MakesMissing {
        Undeclared { dependent: earlier, dependency: later, need }
    } else {
        Undeclared { dependent: later, dependency: earlier, need }
    }
}
