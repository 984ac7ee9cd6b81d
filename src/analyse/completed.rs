//! Headers completed by what the SQL implies.

use std::collections::BTreeMap;

use super::analysis::Analysis;
use super::infer::infer;
use super::needs::{Need, Strictness, needs};
use super::order::Ancestors;
use crate::graph::{MigrationGraph, Node};

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
    let inferred = infer(analysis.footprints(), completion.strictness);
    let mut ancestors = Ancestors::new(analysis.order().len());
    let mut all = vec![Vec::new(); graph.len()];
    for (place, node) in analysis.order().iter().enumerate() {
        let declared = graph.dependencies(*node);
        let mut found: BTreeMap<Node, Dependency> = BTreeMap::new();
        if completion.keep_declared {
            for on in &declared {
                ancestors.add(place, analysis.place(*on));
                let need = reason(analysis, *on, *node, completion.strictness);
                found.insert(*on, Dependency { on: *on, declared: true, need });
            }
        }
        for (earlier, need) in inferred[place].iter().rev() {
            if ancestors.contains(place, *earlier) {
                continue;
            }
            ancestors.add(place, *earlier);
            let on = analysis.order()[*earlier];
            let declared = declared.contains(&on);
            found.insert(on, Dependency { on, declared, need: Some(*need) });
        }
        all[node.index()] = found.into_values().collect();
    }
    all
}

fn reason(analysis: &Analysis, earlier: Node, later: Node, strictness: Strictness) -> Option<Need> {
    let all = needs(analysis.footprint(earlier), analysis.footprint(later), strictness);
    all.into_iter().min_by_key(super::needs::rank)
}
