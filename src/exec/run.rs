//! The run loop.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::attempt::{Shared, Tried};
use super::control::{Control, Stop};
use super::event::{Event, EventSink};
use super::result::RunResult;
use super::state::{State, Verdict};
use crate::engine::{Engine, Job, Progress};
use crate::graph::{MigrationGraph, Node};
use crate::plan::{Plan, Schedule};

/// A cancel request can reach the server before the statement it is meant for,
/// so it is repeated until the work has ended.
const CANCEL_AGAIN: Duration = Duration::from_millis(500);

/// How often a display is told that time passes.
const TICK: Duration = Duration::from_millis(200);

/// What a failure means for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing more is started, what runs finishes.
    #[default]
    Finish,
    /// What runs is cancelled.
    FailFast,
    /// Everything runs that does not descend from what failed.
    KeepGoing,
}

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions<'a> {
    /// When a migration may start.
    pub schedule: Schedule,
    /// At most so many at once.
    pub jobs: usize,
    /// How often one migration is tried again when that may help.
    pub retries: usize,
    /// What a failure means for the others.
    pub on_failure: OnFailure,
    /// For waits that are the same every time; `None` outside simulations.
    pub seed: Option<u64>,
    /// How far an earlier run has come with migrations that run step by step.
    pub progress: &'a BTreeMap<Node, Progress>,
}

/// Runs `plan` until everything has ended; never fails itself.
pub async fn run<E: Engine>(
    engine: &E,
    graph: &MigrationGraph,
    plan: &Plan,
    options: RunOptions<'_>,
    (mut control, events): (Control, &mut dyn EventSink),
) -> RunResult {
    let began = Instant::now();
    let mut state = State::new(plan, options);
    let shared = Shared::new(engine, control.clone(), events);
    let job = |node: Node, progress: Progress| Job {
        migration: graph.migration(node),
        layer: plan.layer(node).unwrap_or(0),
        progress,
    };
    let mut attempts = FuturesUnordered::new();
    let mut again = tokio::time::interval(CANCEL_AGAIN);
    let mut tick = tokio::time::interval(TICK);
    let mut failing_fast = false;
    loop {
        if control.current() != Stop::No {
            state.queue.stop();
        }
        while let Some((node, worker)) = state.start_next() {
            shared.tell(&Event::Started { node });
            attempts.push(shared.attempt(node, job(node, state.progress(node)), worker, None));
        }
        if attempts.is_empty() && !state.queue.has_ready() {
            break;
        }
        let cancelling = failing_fast || control.current() == Stop::Cancel;
        tokio::select! {
            biased;
            Some(tried) = attempts.next() => {
                let node = tried.node;
                let stop = if cancelling { Stop::Cancel } else { control.current() };
                match settle(&shared, &mut state, tried, stop) {
                    Verdict::Later(later) => {
                        let worker = state.idle.pop();
                        let job = job(node, state.progress(node));
                        attempts.push(shared.attempt(node, job, worker, Some(later)));
                    }
                    Verdict::Failed => failing_fast |= options.on_failure == OnFailure::FailFast,
                    _ => {}
                }
            }
            stop = control.changed() => {
                state.queue.stop();
                let running = state.queue.running().len();
                shared.tell(&Event::Stopping { stop, running });
                again.reset_immediately();
            }
            () = state.circuit.until_probe(), if state.queue.has_ready() => {}
            _ = again.tick(), if cancelling => shared.cancel_all().await,
            _ = tick.tick() => shared.tell(&Event::Tick),
        }
    }
    drop(attempts);
    let result = state.into_result(plan, began.elapsed(), control.current());
    RunResult { healed: shared.healed(), ..result }
}

/// Takes the end of a try into the state, and tells of it.
fn settle<E: Engine>(
    shared: &Shared<'_, E>,
    state: &mut State<'_, E::Worker>,
    tried: Tried<E::Worker>,
    stop: Stop,
) -> Verdict {
    let node = tried.node;
    let verdict = state.ended(tried, stop);
    match &verdict {
        Verdict::Applied(receipt) => shared.tell(&Event::Applied { node, receipt: *receipt }),
        Verdict::Failed => {
            if let Some((_, failure)) = state.failed.last() {
                shared.tell(&Event::Failed { node, failure });
            }
        }
        Verdict::Later(later) => {
            let (failure, delay) = (&*later.failure, Some(later.delay));
            shared.tell(&Event::Retrying { node, failure, delay });
        }
        Verdict::PutBack { failure, delay } => {
            shared.tell(&Event::Retrying { node, failure, delay: *delay });
        }
        Verdict::Fewer { slots } => shared.tell(&Event::FewerSessions { slots: *slots }),
    }
    verdict
}
