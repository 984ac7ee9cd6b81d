//! One function for each verb: returns data, takes an event sink, never prints.

mod branch;
mod infer;
mod jobs;
mod plan;
mod repair;
mod resume;
mod separation;
mod server;
mod status;
mod up;
mod validate;

pub use branch::{BranchReport, branch};
pub use infer::{Change, FileError, Inference, infer, write};
pub use jobs::{Jobs, Shortage};
pub use plan::{PlanOptions, Planned, plan};
pub use repair::{RepairAction, RepairError, RepairOptions, Repaired, repair};
pub use resume::{Interrupted, Obstacle};
pub use separation::separation;
pub use server::{OnLock, OnWait, ServerError};
pub use status::{Status, status};
pub use up::{UpError, UpEvent, UpOptions, UpReport, UpSink, dry_run, up};
pub use validate::{validate, validate_around_broken};

use crate::graph::{MigrationGraph, Node};
use crate::model::MigrationId;
use crate::suggest::nearest;

/// Ids given to `--target` that no file has, each with the nearest that one has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no migration has the id {}", .0.iter().map(|it| format!("`{}`", it.id)).collect::<Vec<_>>().join(", "))]
pub struct UnknownTargets(pub Vec<UnknownTarget>);

/// One such id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTarget {
    /// As it was given.
    pub id: String,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl UnknownTargets {
    /// What to do next.
    pub fn help(&self) -> String {
        let near: Vec<_> = self.0.iter().filter_map(|it| it.nearest.as_deref()).collect();
        match near.as_slice() {
            [] => "`migraph plan --offline` lists the ids".to_owned(),
            near => format!(
                "did you mean {}?",
                near.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

/// The targets and all their ancestors, as a table by node index; everything
/// when there is no target.
pub fn wanted(graph: &MigrationGraph, targets: &[String]) -> Result<Vec<bool>, UnknownTargets> {
    if targets.is_empty() {
        return Ok(vec![true; graph.len()]);
    }
    let mut nodes = Vec::new();
    let mut unknown = Vec::new();
    for target in targets {
        match find(graph, target) {
            Ok(node) => nodes.push(node),
            Err(error) => unknown.push(error),
        }
    }
    if unknown.is_empty() { Ok(graph.with_ancestors(&nodes)) } else { Err(UnknownTargets(unknown)) }
}

/// The migration that `target` names: an id, or a path to its file, which is as
/// clear.
fn find(graph: &MigrationGraph, target: &str) -> Result<Node, UnknownTarget> {
    let stem = target.rsplit('/').next().unwrap_or(target);
    let stem = stem.strip_suffix(".sql").unwrap_or(stem);
    let node = stem.parse().ok().and_then(|id| graph.node(&id));
    node.ok_or_else(|| UnknownTarget {
        id: target.to_owned(),
        nearest: nearest(stem, graph.ids().map(MigrationId::as_str)).map(str::to_owned),
    })
}
