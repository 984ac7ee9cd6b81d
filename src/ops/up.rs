//! `up`: applies what is pending.
//!
//! The order of business: connect, take the run lock, read the ledger, hold it
//! against the files, plan, run. The plan is made under the lock, so a second
//! runner plans what the first has left.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{PlanOptions, Planned, online};
use super::resume::{Interrupted, progress_of};
use super::server::{OnWait, ServerError, connect};
use crate::engine::Progress;
use crate::exec::{
    Control, Event, EventSink, OnFailure, RunOptions, RunResult, Stop, StopSignal, run,
};
use crate::graph::{MigrationGraph, Node};
use crate::plan::{Comparison, Schedule};
use crate::postgres::{
    ConnectError, Ledger, LockError, Postgres, RefusedSetting, RunLock, Target, Timeouts, Tuning,
    Waiting, flush,
};

/// How to run.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// What to plan, and with how many workers.
    pub plan: PlanOptions,
    /// When a migration may start.
    pub schedule: Schedule,
    /// How long to wait for another run to end.
    pub wait_lock: Duration,
    /// How often one migration is tried again when that may help.
    pub retries: usize,
    /// What a failure means for the others.
    pub on_failure: OnFailure,
    /// Settings for the sessions that apply migrations; none unless the run is fast.
    pub tuning: Tuning,
    /// Timeouts for migrations whose header has none.
    pub timeouts: Timeouts,
}

/// Something that happened.
#[derive(Debug)]
pub enum UpEvent<'a> {
    /// The server is not ready yet.
    NoServer(&'a ConnectError),
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
    /// True when the coordinator's session was lost, and with it the run lock;
    /// everything that ran then was cancelled.
    pub lock_lost: bool,
    /// Why commits of a fast run, this or an earlier one, may not last, when they could
    /// not be flushed.
    pub unflushed: Option<String>,
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
    /// Settings that the server does not let a session have.
    #[error("the server refuses settings of the fast run")]
    Tuning(Vec<RefusedSetting>),
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
    let (lock, target) = tokio::select! {
        opened = opening => opened?,
        () = until_stopped.stopped() => return Err(UpError::Stopped),
    };
    let planned = online(graph, ledger, lock.client(), options.plan).await?;
    let jobs = planned.jobs;
    let progress = resumable(graph, &planned)?;
    let batch = uuid::Uuid::new_v4().to_string();
    let target = tuned(&target, &lock, &options.tuning).await?;
    let engine = Postgres::new(&target, &lock, (ledger, &batch), (jobs, options.timeouts));
    let engine = engine.map_err(ServerError::from)?;
    if !planned.plan.is_empty() {
        sink.event(&UpEvent::Planned(&planned));
    }
    let run_options = RunOptions {
        schedule: options.schedule,
        jobs,
        retries: options.retries,
        on_failure: options.on_failure,
        seed: None,
        progress: &progress,
    };
    let (stop, inner) = StopSignal::new();
    let mut lock_lost = false;
    let mut events = Forward(sink);
    let running = run(&engine, graph, &planned.plan, run_options, (inner, &mut events));
    let result = tokio::select! {
        biased;
        result = running => result,
        // Never ends: whatever it sees, the run ends by itself.
        () = watch(&lock, control, &stop, &mut lock_lost) => return Err(UpError::Stopped),
    };
    let is_fast = !options.tuning.is_empty();
    let unflushed = match relies_on_a_flush(&planned, &result, is_fast) {
        // It may be a server that answers nothing.
        true if lock_lost => Some("the session of the run lock was lost".to_owned()),
        true => flush(lock.client()).await.err().map(|error| error.to_string()),
        false => None,
    };
    Ok(UpReport { batch, planned, result, lock_lost, unflushed })
}

/// True when what is said to be applied may not be on disk yet. Where there was
/// nothing to do, a fast run that was killed may just have done it.
fn relies_on_a_flush(planned: &Planned, result: &RunResult, is_fast: bool) -> bool {
    match planned.plan.is_empty() {
        true => !planned.comparison.applied.is_empty(),
        false => is_fast && !result.applied.is_empty(),
    }
}

/// The target for the workers of a run with `tuning`.
async fn tuned(target: &Target, lock: &RunLock, tuning: &Tuning) -> Result<Target, UpError> {
    if tuning.is_empty() {
        return Ok(target.clone());
    }
    let refused = tuning.refused(lock.client()).await.map_err(LockError::from)?;
    if refused.is_empty() { Ok(target.tuned(tuning)) } else { Err(UpError::Tuning(refused)) }
}

/// Passes requests to stop on to the run, and cancels it when the lock is lost:
/// another run may begin at any moment then.
async fn watch(lock: &RunLock, mut control: Control, stop: &StopSignal, lock_lost: &mut bool) {
    stop.raise(control.current());
    loop {
        tokio::select! {
            more = control.changed() => stop.raise(more),
            () = lock.lost(), if !*lock_lost => {
                *lock_lost = true;
                stop.raise(Stop::Cancel);
            }
        }
    }
}

/// Plans what `up` would run, and touches nothing.
pub async fn dry_run(
    graph: &MigrationGraph,
    target: &Target,
    ledger: &Ledger,
    options: PlanOptions,
    on_wait: OnWait<'_>,
) -> Result<Planned, UpError> {
    let client = connect(target, on_wait).await?.client;
    let planned = online(graph, ledger, &client, options).await?;
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
) -> Result<(RunLock, Target), UpError> {
    let mut no_server = |error: &ConnectError| sink.event(&UpEvent::NoServer(error));
    let reached = connect(target, &mut no_server).await?;
    let mut on_wait = |waiting: &Waiting| sink.event(&UpEvent::Waiting(waiting));
    let lock = RunLock::acquire(reached.client, ledger.schema(), patience, &mut on_wait).await?;
    ledger.create(lock.client()).await.map_err(ServerError::from)?;
    Ok((lock, reached.target))
}

/// How far earlier runs have come; an error when the ledger says something that
/// forbids to go on.
fn resumable(
    graph: &MigrationGraph,
    planned: &Planned,
) -> Result<BTreeMap<Node, Progress>, UpError> {
    let comparison = &planned.comparison;
    if !comparison.agrees() {
        return Err(UpError::Disagree(Box::new(comparison.clone())));
    }
    let wanted = |node: &Node| planned.plan.layer(*node).is_some();
    let mut progress = BTreeMap::new();
    let mut interrupted = Vec::new();
    for (node, unfinished) in comparison.unfinished.iter().filter(|(node, _)| wanted(node)) {
        match progress_of(graph, *node, unfinished) {
            Ok(found) => drop(progress.insert(*node, found)),
            Err(why) => interrupted.push(why),
        }
    }
    if interrupted.is_empty() { Ok(progress) } else { Err(UpError::Interrupted(interrupted)) }
}
