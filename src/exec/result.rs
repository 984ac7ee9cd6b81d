//! What a run did.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::{Failure, Notices, Receipt};
use crate::graph::Node;
use crate::plan::Plan;

/// Why a migration was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It needs this one, directly or not, which failed.
    Needs(Node),
    /// The run ended before its turn.
    RunEnded,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything in the plan is applied.
    Complete,
    /// At least one migration failed.
    Failed,
    /// It was asked to stop before everything was applied.
    Stopped,
}

/// What a run did.
#[derive(Debug)]
pub struct RunResult {
    /// How it ended.
    pub ended: Ended,
    /// What is applied now, by this run.
    pub applied: BTreeMap<Node, Receipt>,
    /// What failed, in the order in which it did.
    pub failed: Vec<(Node, Failure)>,
    /// What was not started, in the order of the plan.
    pub skipped: Vec<(Node, Skip)>,
    /// How often each migration was tried again.
    pub retried: BTreeMap<Node, usize>,
    /// How many failed tries of each the ledger may have no row of, but ought to.
    pub unrecorded: BTreeMap<Node, usize>,
    /// What the server said during the last try at each migration; those of which
    /// it said nothing are not in it.
    pub notices: BTreeMap<Node, Notices>,
    /// What earlier tries had left half done and was put right, by migration.
    pub healed: BTreeMap<Node, Vec<String>>,
    /// From the first start to the last end.
    pub wall: Duration,
}

/// Why each of `not_started` was not, given in the order of the plan.
pub(super) fn reasons(
    plan: &Plan,
    failed: &[(Node, Failure)],
    not_started: Vec<Node>,
) -> Vec<(Node, Skip)> {
    let mut because: BTreeMap<Node, Node> = failed.iter().map(|(node, _)| (*node, *node)).collect();
    let skip = |node| {
        let root = plan.dependencies(node).iter().find_map(|it| because.get(it)).copied();
        if let Some(root) = root {
            because.insert(node, root);
        }
        (node, root.map_or(Skip::RunEnded, Skip::Needs))
    };
    not_started.into_iter().map(skip).collect()
}
