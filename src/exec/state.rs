//! What the run loop keeps, and what it decides when a try has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use backon::ExponentialBackoff;

use super::attempt::{Later, Tried};
use super::backoff::backoff;
use super::circuit::Circuit;
use super::control::Stop;
use super::result::{Ended, RunResult, reasons};
use super::run::{OnFailure, RunOptions};
use crate::engine::{Failure, FailureKind, Notices, Progress, Receipt, Retry};
use crate::graph::Node;
use crate::plan::{Plan, ReadyQueue};

/// Between two tries of one migration.
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// What became of a migration.
pub(super) enum Verdict {
    /// It is applied.
    Applied(Receipt),
    /// It is not, and will not be in this run.
    Failed,
    /// It is tried again after a delay, in its slot.
    Later(Later),
    /// It went back into the queue; how long until the next try, where that is known.
    PutBack { failure: Box<Failure>, delay: Option<Duration> },
    /// It went back into the queue, and fewer run at once from now on.
    Fewer { slots: usize },
}

/// What the loop keeps.
pub(super) struct State<'p, W> {
    pub(super) queue: ReadyQueue<'p>,
    /// Workers without work. As many as have been needed at once.
    pub(super) idle: Vec<W>,
    pub(super) circuit: Circuit,
    pub(super) applied: BTreeMap<Node, Receipt>,
    pub(super) failed: Vec<(Node, Failure)>,
    notices: BTreeMap<Node, Notices>,
    on_failure: OnFailure,
    retries: usize,
    seed: Option<u64>,
    delays: BTreeMap<Node, ExponentialBackoff>,
    retried: BTreeMap<Node, usize>,
    /// The last failure of each that is to be tried again, until it is.
    pending: BTreeMap<Node, Failure>,
    unrecorded: BTreeMap<Node, usize>,
    progress: BTreeMap<Node, Progress>,
}

impl<'p, W> State<'p, W> {
    pub(super) fn new(plan: &'p Plan, options: RunOptions<'_>) -> Self {
        Self {
            queue: ReadyQueue::new(plan, options.schedule, options.jobs),
            idle: Vec::new(),
            circuit: Circuit::new(options.seed),
            applied: BTreeMap::new(),
            failed: Vec::new(),
            notices: BTreeMap::new(),
            on_failure: options.on_failure,
            retries: options.retries,
            seed: options.seed,
            delays: BTreeMap::new(),
            retried: BTreeMap::new(),
            pending: BTreeMap::new(),
            unrecorded: BTreeMap::new(),
            progress: options.progress.clone(),
        }
    }

    /// The next migration that may start, with the worker it is to use.
    pub(super) fn start_next(&mut self) -> Option<(Node, Option<W>)> {
        // A worker that is there needs no session.
        if self.idle.is_empty() && !self.circuit.lets_through() {
            return None;
        }
        let node = self.queue.start_next()?;
        let worker = self.idle.pop();
        if worker.is_none() {
            self.circuit.trying();
        }
        Some((node, worker))
    }

    /// How far the tries at a migration have come.
    pub(super) fn progress(&self, node: Node) -> Progress {
        self.progress.get(&node).copied().unwrap_or_default()
    }

    /// Decides what a try that has ended means. `stop` is what the run has been
    /// asked by now.
    pub(super) fn ended(&mut self, tried: Tried<W>, stop: Stop) -> Verdict {
        let Tried { node, worker, outcome, notices } = tried;
        self.idle.extend(worker);
        let anew = notices.is_some();
        if self.pending.remove(&node).is_some() && anew {
            *self.retried.entry(node).or_default() += 1;
        }
        if let Some(notices) = notices {
            self.keep(node, notices);
        }
        let no_session =
            |failure: &Failure| matches!(failure.retry, Retry::Connect | Retry::FewerSessions);
        if !outcome.as_ref().is_err_and(|failure| no_session(failure)) {
            self.circuit.succeeded();
        }
        if anew && outcome.as_ref().is_err_and(|failure| failure.unrecorded.is_some()) {
            *self.unrecorded.entry(node).or_default() += 1;
        }
        match outcome {
            Ok(receipt) => {
                self.queue.applied(node);
                self.applied.insert(node, receipt);
                Verdict::Applied(receipt)
            }
            Err(failure) if stop == Stop::No && self.failed_for_good() => {
                self.give_up(node, *failure)
            }
            Err(failure) if stop == Stop::No => self.try_again(node, failure),
            Err(failure) => self.give_up(node, cancelled(*failure, stop)),
        }
    }

    /// What was said during an earlier try is rolled back with it.
    fn keep(&mut self, node: Node, notices: Notices) {
        if notices.kept().is_empty() {
            self.notices.remove(&node);
        } else {
            self.notices.insert(node, notices);
        }
    }

    /// True once the run only finishes what runs: nothing is tried again then.
    fn failed_for_good(&self) -> bool {
        !self.failed.is_empty() && self.on_failure != OnFailure::KeepGoing
    }

    fn try_again(&mut self, node: Node, failure: Box<Failure>) -> Verdict {
        if let Some(progress) = failure.progress {
            self.progress.insert(node, progress);
        }
        match failure.retry {
            Retry::Never => self.give_up(node, *failure),
            Retry::Connect => self.without_session(node, failure),
            Retry::FewerSessions => {
                let slots = self.queue.running().len() - 1 + self.idle.len();
                if slots == 0 {
                    return self.without_session(node, failure);
                }
                self.queue.put_back(node);
                self.queue.set_slots(slots);
                Verdict::Fewer { slots }
            }
            // Most likely it waited for one of ours. That one ends by itself, so
            // this is no try that counts.
            Retry::Locked if self.queue.put_behind_others(node) => {
                self.pending.insert(node, (*failure).clone());
                Verdict::PutBack { failure, delay: None }
            }
            Retry::Again | Retry::Locked | Retry::Alone => match self.next_delay(node) {
                None => self.give_up(node, *failure),
                Some(_) if failure.retry == Retry::Alone => {
                    self.pending.insert(node, (*failure).clone());
                    self.queue.put_alone(node);
                    Verdict::PutBack { failure, delay: None }
                }
                Some(delay) => {
                    self.pending.insert(node, (*failure).clone());
                    Verdict::Later(Later { delay, failure })
                }
            },
        }
    }

    fn without_session(&mut self, node: Node, failure: Box<Failure>) -> Verdict {
        if let Some(delay) = self.circuit.failed() {
            self.queue.put_back(node);
            return Verdict::PutBack { failure, delay: Some(delay) };
        }
        self.queue.stop();
        self.give_up(node, *failure)
    }

    fn give_up(&mut self, node: Node, failure: Failure) -> Verdict {
        self.queue.failed(node);
        if self.on_failure != OnFailure::KeepGoing {
            self.queue.stop();
        }
        self.failed.push((node, failure));
        Verdict::Failed
    }

    fn next_delay(&mut self, node: Node) -> Option<Duration> {
        let (retries, seed) = (self.retries, self.seed);
        let delays = self
            .delays
            .entry(node)
            .or_insert_with(|| backoff(FIRST_DELAY, LONGEST_DELAY, retries, seed));
        delays.next()
    }

    pub(super) fn into_result(mut self, plan: &Plan, wall: Duration, stop: Stop) -> RunResult {
        let mut not_started = self.queue.not_started();
        // The run ended before these were tried again: they have failed.
        not_started.retain(|node| !self.pending.contains_key(node));
        self.failed.extend(std::mem::take(&mut self.pending));
        let ended = match () {
            () if self.failed.is_empty() && not_started.is_empty() => Ended::Complete,
            () if stop != Stop::No => Ended::Stopped,
            () => Ended::Failed,
        };
        let skipped = reasons(plan, &self.failed, not_started);
        let Self { applied, failed, retried, unrecorded, notices, .. } = self;
        RunResult {
            healed: BTreeMap::new(),
            ended,
            applied,
            failed,
            skipped,
            retried,
            unrecorded,
            notices,
            wall,
        }
    }
}

/// `query_canceled` is our own doing when we were asked to cancel; otherwise it
/// is a timeout or somebody else's.
fn cancelled(mut failure: Failure, stop: Stop) -> Failure {
    let by_request = stop == Stop::Cancel && failure.sqlstate.as_deref() == Some("57014");
    if by_request && matches!(failure.kind, FailureKind::RolledBack | FailureKind::Halted) {
        failure.kind = FailureKind::Cancelled;
    }
    failure
}
