//! `repair`: says what became of a migration that was left half done.

use std::time::Duration;

use super::resume::{Interrupted, Obstacle, progress_of};
use super::server::{OnLock, OnWait, ServerError, connect};
use super::{UnknownTargets, find};
use crate::exec::Control;
use crate::graph::{MigrationGraph, Node};
use crate::model::{Migration, Script, Step};
use crate::plan::{Comparison, Unfinished, compare};
use crate::postgres::{Ledger, LockError, Repair, RunLock, Target};

/// What the operator has found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairAction {
    /// The step that stands in the way is not done, and nothing of it is left.
    Retry,
    /// Everything before this statement (from 1) is done, nothing from there on.
    ResumeAt(usize),
    /// All of the migration is done.
    MarkApplied,
}

/// What to repair, and how.
#[derive(Clone, Debug)]
pub struct RepairOptions {
    /// An id, or a path to its file.
    pub id: String,
    /// What is to be recorded.
    pub action: RepairAction,
    /// Why, for the record.
    pub reason: Option<String>,
    /// How long to wait for a run to end.
    pub wait_lock: Duration,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// Of which migration.
    pub node: Node,
    /// The statement (from 1) at which the next run goes on; `None` when it is
    /// applied.
    pub resumes_at: Option<usize>,
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No such file.
    #[error(transparent)]
    Unknown(#[from] UnknownTargets),
    /// It is applied.
    #[error("`{0}` is applied: there is nothing to repair")]
    Applied(String),
    /// Nothing of it was ever recorded as begun.
    #[error("no run has begun `{0}` and left it unfinished: there is nothing to repair")]
    NotBegun(String),
    /// Nothing stands in its way.
    #[error("nothing stands in the way of `{id}`: the next `migraph up` goes on at statement {at}")]
    Clear {
        /// Which.
        id: String,
        /// Where it goes on, from 1.
        at: usize,
    },
    /// No step begins there.
    #[error("`{id}` cannot be resumed at statement {at}: no step begins there")]
    NoStep {
        /// Which.
        id: String,
        /// What was asked for.
        at: usize,
        /// Where steps begin.
        steps: Vec<usize>,
    },
    /// Asked to stop before anything was recorded.
    #[error("stopped before anything was recorded")]
    Stopped,
}

/// Records under the run lock what the operator says.
pub async fn repair(
    graph: &MigrationGraph,
    target: &Target,
    ledger: &Ledger,
    options: RepairOptions,
    (mut control, on_wait, on_lock): (Control, OnWait<'_>, OnLock<'_>),
) -> Result<Repaired, RepairError> {
    let node = find(graph, &options.id).map_err(|error| UnknownTargets(vec![error]))?;
    let opening = async {
        let client = connect(target, on_wait).await?.client;
        let lock = RunLock::acquire(client, ledger.schema(), options.wait_lock, on_lock);
        Ok::<_, RepairError>(lock.await?)
    };
    let lock = tokio::select! {
        opened = opening => opened?,
        () = control.stopped() => return Err(RepairError::Stopped),
    };
    let state = ledger.read(lock.client()).await.map_err(ServerError::from)?;
    let comparison = compare(graph, state.applied, state.started);
    let migration = graph.migration(node);
    let unfinished = unfinished(migration, node, &comparison)?;
    let repair = decide(graph, node, unfinished, options.action)?;
    let batch = uuid::Uuid::new_v4().to_string();
    let reason = reason(repair, options.reason.as_deref());
    let recording = ledger.repair(&lock, (migration, repair), (&batch, &reason));
    recording.await.map_err(ServerError::from)?;
    let resumes_at = match repair {
        Repair::RetryFrom(at) | Repair::ResumeAt(at) | Repair::WithoutSession(at) => Some(at),
        Repair::MarkApplied => None,
    };
    Ok(Repaired { node, resumes_at })
}

fn unfinished<'a>(
    migration: &Migration,
    node: Node,
    comparison: &'a Comparison,
) -> Result<&'a Unfinished, RepairError> {
    let id = || migration.id.to_string();
    if comparison.applied.contains_key(&node) {
        return Err(RepairError::Applied(id()));
    }
    comparison.unfinished.get(&node).ok_or_else(|| RepairError::NotBegun(id()))
}

fn decide(
    graph: &MigrationGraph,
    node: Node,
    unfinished: &Unfinished,
    action: RepairAction,
) -> Result<Repair, RepairError> {
    let migration = graph.migration(node);
    match action {
        RepairAction::MarkApplied => Ok(Repair::MarkApplied),
        RepairAction::ResumeAt(at) => {
            let steps: Vec<_> = migration.up.recorded_steps().map(Step::number).collect();
            match steps.contains(&at) {
                true => Ok(Repair::ResumeAt(at)),
                false => Err(RepairError::NoStep { id: migration.id.to_string(), at, steps }),
            }
        }
        RepairAction::Retry => match progress_of(graph, node, unfinished) {
            Err(Interrupted { started, obstacle: Obstacle::SessionGone(_), .. }) => {
                let step = migration.up.step(started.statement).map(Step::statements);
                let completed =
                    step.map_or(0, |it| if started.finished { it.end } else { it.start });
                Ok(Repair::WithoutSession(next_step(&migration.up, completed)))
            }
            Err(interrupted) => Ok(Repair::RetryFrom(interrupted.started.statement)),
            // A statement that can be looked for will be: its row says what is ours.
            Ok(progress) => Err(RepairError::Clear {
                id: migration.id.to_string(),
                at: next_step(&migration.up, progress.completed),
            }),
        },
    }
}

/// The first step behind `completed` statements.
fn next_step(script: &Script, completed: usize) -> usize {
    let mut numbers = script.recorded_steps().map(Step::number);
    numbers.find(|number| *number > completed).unwrap_or(completed + 1)
}

fn reason(repair: Repair, reason: Option<&str>) -> String {
    let what = match repair {
        Repair::RetryFrom(number) => format!("run again from statement {number}"),
        Repair::ResumeAt(number) => format!("resume at statement {number}"),
        Repair::WithoutSession(number) => {
            format!("resume at statement {number} without what was left in the session")
        }
        Repair::MarkApplied => "marked as applied".to_owned(),
    };
    match reason {
        Some(reason) => format!("{what}: {reason}"),
        None => what,
    }
}
