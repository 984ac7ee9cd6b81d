//! The run loop.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::control::{Control, Stop};
use super::event::{Event, EventSink};
use crate::engine::{Canceller, Engine, Failure, FailureKind, Job, Outcome, Receipt, Worker};
use crate::graph::{MigrationGraph, Node};
use crate::plan::{Plan, ReadyQueue, Schedule};

/// A cancel request can reach the server before the statement it is meant for,
/// so it is repeated until the work has ended.
const CANCEL_AGAIN: Duration = Duration::from_millis(500);

/// How often a display is told that time passes.
const TICK: Duration = Duration::from_millis(200);

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions<'a> {
    /// When a migration may start.
    pub schedule: Schedule,
    /// At most so many at once.
    pub jobs: usize,
    /// How many statements of a migration an earlier run has completed.
    pub completed: &'a BTreeMap<Node, usize>,
}

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
    /// From the first start to the last end.
    pub wall: Duration,
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
    let mut state = State {
        queue: ReadyQueue::new(plan, options.schedule, options.jobs),
        idle: Vec::new(),
        applied: BTreeMap::new(),
        failed: Vec::new(),
    };
    let shared = Shared { engine, cancellers: RefCell::default(), events: RefCell::new(events) };
    let mut tries = FuturesUnordered::new();
    let mut again = tokio::time::interval(CANCEL_AGAIN);
    let mut tick = tokio::time::interval(TICK);
    loop {
        if control.current() != Stop::No {
            state.queue.stop();
        }
        while let Some(node) = state.queue.start_next() {
            shared.events.borrow_mut().event(&Event::Started { node });
            let job = Job {
                migration: graph.migration(node),
                layer: plan.layer(node).unwrap_or(0),
                completed: options.completed.get(&node).copied().unwrap_or(0),
            };
            tries.push(shared.try_one(node, job, state.idle.pop(), control.clone()));
        }
        if tries.is_empty() {
            break;
        }
        let cancelling = control.current() == Stop::Cancel;
        tokio::select! {
            biased;
            Some((node, worker, outcome)) = tries.next() => {
                state.idle.extend(worker.filter(Worker::is_usable));
                let outcome = outcome.map_err(|failure| cancelled(failure, control.current()));
                state.ended(node, outcome, &shared.events);
            }
            stop = control.changed() => {
                state.queue.stop();
                let running = state.queue.running().len();
                shared.events.borrow_mut().event(&Event::Stopping { stop, running });
                again.reset_immediately();
            }
            _ = again.tick(), if cancelling => shared.cancel_all().await,
            _ = tick.tick() => shared.events.borrow_mut().event(&Event::Tick),
        }
    }
    drop(tries);
    state.into_result(plan, began.elapsed(), control.current())
}

/// `query_canceled` is our own doing when we were asked to cancel; otherwise it
/// is a timeout or somebody else's.
fn cancelled(mut failure: Box<Failure>, stop: Stop) -> Box<Failure> {
    let by_request = stop == Stop::Cancel && failure.sqlstate.as_deref() == Some("57014");
    if by_request && failure.kind == FailureKind::RolledBack {
        failure.kind = FailureKind::Cancelled;
    }
    failure
}

/// What the loop keeps.
struct State<'p, W> {
    queue: ReadyQueue<'p>,
    /// Workers without work. As many as have been needed at once.
    idle: Vec<W>,
    applied: BTreeMap<Node, Receipt>,
    failed: Vec<(Node, Failure)>,
}

impl<W> State<'_, W> {
    fn ended(&mut self, node: Node, outcome: Outcome, events: &RefCell<&mut dyn EventSink>) {
        match outcome {
            Ok(receipt) => {
                self.queue.applied(node);
                self.applied.insert(node, receipt);
                events.borrow_mut().event(&Event::Applied { node, receipt });
            }
            Err(failure) => {
                self.queue.failed(node);
                self.queue.stop();
                events.borrow_mut().event(&Event::Failed { node, failure: &failure });
                self.failed.push((node, *failure));
            }
        }
    }

    fn into_result(self, plan: &Plan, wall: Duration, stop: Stop) -> RunResult {
        let not_started = self.queue.not_started();
        let ended = match () {
            () if self.failed.is_empty() && not_started.is_empty() => Ended::Complete,
            () if stop != Stop::No => Ended::Stopped,
            () => Ended::Failed,
        };
        let skipped = reasons(plan, &self.failed, not_started);
        RunResult { ended, applied: self.applied, failed: self.failed, skipped, wall }
    }
}

/// Why each of `not_started` was not, given in the order of the plan.
fn reasons(plan: &Plan, failed: &[(Node, Failure)], not_started: Vec<Node>) -> Vec<(Node, Skip)> {
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

/// What every try may use, from within the one task.
struct Shared<'e, E: Engine> {
    engine: &'e E,
    cancellers: RefCell<BTreeMap<Node, Rc<<E::Worker as Worker>::Canceller>>>,
    events: RefCell<&'e mut dyn EventSink>,
}

impl<E: Engine> Shared<'_, E> {
    /// One try at one migration, on an idle worker or a new one.
    async fn try_one(
        &self,
        node: Node,
        job: Job<'_>,
        idle: Option<E::Worker>,
        control: Control,
    ) -> (Node, Option<E::Worker>, Outcome) {
        let mut worker = match idle {
            Some(worker) => worker,
            None => match self.engine.worker().await {
                Ok(worker) => worker,
                Err(failure) => return (node, None, Err(failure)),
            },
        };
        if let Err(failure) = worker.prepare().await {
            return (node, Some(worker), Err(failure));
        }
        // Asked to cancel while the session was being opened: nothing was sent.
        if control.current() == Stop::Cancel {
            let failure = Failure::new(FailureKind::NotStarted, "cancelled before it began");
            return (node, Some(worker), Err(Box::new(failure)));
        }
        self.cancellers.borrow_mut().insert(node, Rc::new(worker.canceller()));
        let statement = |number| {
            self.events.borrow_mut().event(&Event::Statement { node, number });
        };
        let outcome = worker.apply(job, &statement).await;
        self.cancellers.borrow_mut().remove(&node);
        (node, Some(worker), outcome)
    }

    async fn cancel_all(&self) {
        let cancellers: Vec<_> = self.cancellers.borrow().values().cloned().collect();
        join_all(cancellers.iter().map(|canceller| canceller.cancel())).await;
    }
}
