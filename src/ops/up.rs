//! `up`: applies what is pending.
//!
//! The order of business: connect, take the run lock, read the ledger, hold it
//! against the files, plan, run. The plan is made under the lock, so a second
//! runner plans what the first has left.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{PlanOptions, Planned, planned};
use super::server::{ServerError, connect};
use crate::exec::{Control, Event, EventSink, RunOptions, RunResult, run};
use crate::graph::{MigrationGraph, Node};
use crate::model::Migration;
use crate::parse::statement_checksum;
use crate::plan::{Comparison, Plan, Schedule, Started, Unfinished};
use crate::postgres::{Ledger, LockError, Postgres, RunLock, Target, Waiting};

/// How to run.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// What to plan; its `jobs` is the number of workers.
    pub plan: PlanOptions,
    /// When a migration may start.
    pub schedule: Schedule,
    /// How long to wait for another run to end.
    pub wait_lock: Duration,
}

/// Something that happened.
#[derive(Debug)]
pub enum UpEvent<'a> {
    /// Another run, or what is left of one, is in the way.
    Waiting(&'a Waiting),
    /// The plan is made, and something in it will run now.
    Planned(&'a Planned),
    /// The run goes on.
    Run(&'a Event<'a>),
}

/// Whoever wants to know. Called on the run's task: it must not block.
pub trait UpSink {
    /// Takes one event.
    fn event(&mut self, event: &UpEvent<'_>);
}

/// What `up` did.
#[derive(Debug)]
pub struct UpReport {
    /// The run's UUID.
    pub batch: String,
    /// What was planned.
    pub planned: Planned,
    /// What was run.
    pub result: RunResult,
}

/// An earlier run began this migration outside a transaction, and it cannot
/// simply be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Which.
    pub node: Node,
    /// The statement that stands in the way, from 1.
    pub statement: usize,
    /// When that was begun.
    pub started: Started,
    /// True when it is finished but differs from the file's statement; false
    /// when nobody knows whether it is done.
    pub changed: bool,
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Applied files were changed, or the ledger holds what no file has.
    #[error("the ledger and the files disagree")]
    Disagree(Box<Comparison>),
    /// Migrations that cannot be resumed.
    #[error("an earlier run left migrations unfinished")]
    Interrupted(Vec<Interrupted>),
    /// Asked to stop before anything ran.
    #[error("stopped before anything was run")]
    Stopped,
}

/// Applies what is pending. Whatever was applied when it fails stays applied.
pub async fn up(
    graph: &MigrationGraph,
    target: &Target,
    ledger: &Ledger,
    options: UpOptions,
    (control, sink): (Control, &mut dyn UpSink),
) -> Result<UpReport, UpError> {
    let mut until_stopped = control.clone();
    let opening = open(target, ledger, options.wait_lock, sink);
    let (lock, version) = tokio::select! {
        opened = opening => opened?,
        () = until_stopped.stopped() => return Err(UpError::Stopped),
    };
    let jobs = options.plan.jobs;
    let state = ledger.read(lock.client()).await.map_err(ServerError::from)?;
    let planned = planned(graph, state, options.plan, true);
    let completed = resumable(graph, &planned)?;
    let batch = uuid::Uuid::new_v4().to_string();
    let engine = Postgres::new(target, version, &lock, (ledger, &batch), jobs);
    let engine = engine.map_err(ServerError::from)?;
    if !planned.plan.is_empty() {
        sink.event(&UpEvent::Planned(&planned));
    }
    let run_options = RunOptions { schedule: options.schedule, jobs, completed: &completed };
    let mut events = Forward(sink);
    let result = run(&engine, graph, &planned.plan, run_options, (control, &mut events)).await;
    Ok(UpReport { batch, planned, result })
}

/// Plans what `up` would run, and touches nothing.
pub async fn dry_run(
    graph: &MigrationGraph,
    target: &Target,
    ledger: &Ledger,
    options: PlanOptions,
) -> Result<Planned, UpError> {
    let (client, _) = connect(target).await?;
    let state = ledger.read(&client).await.map_err(ServerError::from)?;
    let planned = planned(graph, state, options, true);
    resumable(graph, &planned)?;
    Ok(planned)
}

/// Passes the run loop's events on.
struct Forward<'a>(&'a mut dyn UpSink);

impl EventSink for Forward<'_> {
    fn event(&mut self, event: &Event<'_>) {
        self.0.event(&UpEvent::Run(event));
    }
}

async fn open(
    target: &Target,
    ledger: &Ledger,
    patience: Duration,
    sink: &mut dyn UpSink,
) -> Result<(RunLock, u32), UpError> {
    let (client, version) = connect(target).await?;
    let mut on_wait = |waiting: &Waiting| sink.event(&UpEvent::Waiting(waiting));
    let lock = RunLock::acquire(client, ledger.schema(), patience, &mut on_wait).await?;
    ledger.create(lock.client()).await.map_err(ServerError::from)?;
    Ok((lock, version))
}

/// How many statements of each pending migration are done; an error when the
/// ledger says something that forbids to go on.
fn resumable(graph: &MigrationGraph, planned: &Planned) -> Result<BTreeMap<Node, usize>, UpError> {
    let comparison = &planned.comparison;
    if !comparison.agrees() {
        return Err(UpError::Disagree(Box::new(comparison.clone())));
    }
    let mut completed = BTreeMap::new();
    let mut interrupted = Vec::new();
    for (node, unfinished) in pending_unfinished(&planned.plan, comparison) {
        match progress(graph.migration(node), unfinished) {
            Ok(done) => {
                completed.insert(node, done);
            }
            Err((started, changed)) => interrupted.push(Interrupted {
                node,
                statement: started.statement,
                started: started.clone(),
                changed,
            }),
        }
    }
    if interrupted.is_empty() { Ok(completed) } else { Err(UpError::Interrupted(interrupted)) }
}

fn pending_unfinished<'a>(
    plan: &'a Plan,
    comparison: &'a Comparison,
) -> impl Iterator<Item = (Node, &'a Unfinished)> {
    comparison
        .unfinished
        .iter()
        .map(|(node, it)| (*node, it))
        .filter(|(node, _)| plan.layer(*node).is_some())
}

/// The number of the last statement that is done, or the step that stands in the
/// way and whether it is a changed one.
fn progress<'a>(
    migration: &Migration,
    unfinished: &'a Unfinished,
) -> Result<usize, (&'a Started, bool)> {
    if let Some(started) = unfinished.interrupted() {
        return Err((started, false));
    }
    let mut completed = 0;
    for started in &unfinished.statements {
        let Some(step) = migration.up.step(started.statement) else { return Err((started, true)) };
        let sql = migration.source.slice(migration.up.span_of(step));
        if statement_checksum(sql).to_hex() != started.checksum {
            return Err((started, true));
        }
        completed = completed.max(step.statements().end);
    }
    Ok(completed)
}
