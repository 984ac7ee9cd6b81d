//! What the headers of a graph lack.

use std::collections::BTreeSet;

use super::infer::wanted;
use super::needs::{Need, Strictness, Why};
use super::order::implied;
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
    let wanted = wanted(order, strictness, counts);
    let parents: Vec<Vec<usize>> = (wanted.iter().enumerate())
        .map(|(node, wanted)| {
            let declared = declared.get(node).into_iter().flatten();
            declared.chain(wanted.keys()).copied().collect::<BTreeSet<_>>().into_iter().collect()
        })
        .collect();
    let mut found = Vec::new();
    for (node, (parents, by)) in parents.iter().zip(implied(&parents)).enumerate() {
        let is_declared = |parent| declared.get(node).is_some_and(|it| it.contains(parent));
        let needed = parents.iter().zip(by).rev().filter(|(_, by)| by.is_none());
        let lacking = needed.filter(|(parent, _)| !is_declared(parent));
        let reported =
            |(earlier, _): (&usize, _)| Some(report(*earlier, node, *wanted[node].get(earlier)?));
        found.extend(lacking.filter_map(reported));
    }
    found
}

/// Whoever looked for something that only came later needs the one that made it, and
/// whoever took something away has to wait for those who look for it.
fn report(earlier: usize, later: usize, need: Need) -> Undeclared {
    if matches!(need.why, Why::MakesMissing | Why::TakesAway) {
        Undeclared { dependent: earlier, dependency: later, need }
    } else {
        Undeclared { dependent: later, dependency: earlier, need }
    }
}
