//! Headers completed by what the SQL implies.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::Analysis;
use super::infer::{Inferred, infer};
use super::needs::{Need, Strictness, needs, rank};
use super::order::implied;
use crate::graph::{MigrationGraph, Node};
use crate::sql::Footprint;

/// A dependency of a completed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// On what.
    pub on: Node,
    /// True when the header has it already.
    pub declared: bool,
    /// Why the SQL implies it; `None` for a declared one for which it shows no reason
    /// of its own.
    pub need: Option<Need>,
}

/// How to complete headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// How much of the history's result must be kept.
    pub strictness: Strictness,
    /// Whether what is declared stays, with or without a reason.
    pub keep_declared: bool,
}

/// The dependencies of each migration, by [`Node::index`]: what is declared, and what
/// the SQL implies beside it, in the order of ids. The history is the order of the
/// replay. Nothing is added that another dependency brings along.
pub fn completed(
    graph: &MigrationGraph,
    analysis: &Analysis,
    completion: Completion,
) -> Vec<Vec<Dependency>> {
    let places =
        |node: &Node| graph.dependencies(*node).into_iter().map(|on| analysis.place(on)).collect();
    let declared: Vec<BTreeSet<usize>> = analysis.order().iter().map(places).collect();
    let links = complete(analysis.footprints(), &declared, completion);
    let mut all = vec![Vec::new(); graph.len()];
    for ((node, links), declared) in analysis.order().iter().zip(links).zip(&declared) {
        let dependency = |(place, need): (usize, Option<Need>)| Dependency {
            on: analysis.order()[place],
            declared: declared.contains(&place),
            need,
        };
        let mut found: Vec<_> = links.into_iter().map(dependency).collect();
        found.sort_unstable_by_key(|it| it.on);
        all[node.index()] = found;
    }
    all
}

/// The same for a history that is no graph yet: for each migration the places of what
/// it depends on, with the reason that the SQL gives. `declared` holds earlier places
/// only.
pub fn complete(
    history: &[Footprint],
    declared: &[BTreeSet<usize>],
    completion: Completion,
) -> Vec<BTreeMap<usize, Option<Need>>> {
    let inferred = infer(history, completion.strictness);
    if !completion.keep_declared {
        let reasons = |one: Inferred| one.into_iter().map(|(on, need)| (on, Some(need))).collect();
        return inferred.into_iter().map(reasons).collect();
    }
    let none = BTreeSet::new();
    let declared: Vec<_> =
        (0..history.len()).map(|place| declared.get(place).unwrap_or(&none)).collect();
    let parents: Vec<Vec<usize>> = (declared.iter().zip(&inferred))
        .map(|(declared, inferred)| {
            let new = inferred.keys().filter(|on| !declared.contains(on));
            declared.iter().chain(new).copied().collect()
        })
        .collect();
    let dependencies = |place: usize, by: Vec<Option<usize>>| {
        let reason = |on: &usize| match declared[place].contains(on) {
            true => needs(&history[*on], &history[place], completion.strictness).min_by_key(rank),
            false => inferred[place].get(on).copied(),
        };
        let kept =
            |(on, by): &(&usize, Option<usize>)| by.is_none() || declared[place].contains(on);
        parents[place].iter().zip(by).filter(kept).map(|(on, _)| (*on, reason(on))).collect()
    };
    implied(&parents).into_iter().enumerate().map(|(at, by)| dependencies(at, by)).collect()
}
