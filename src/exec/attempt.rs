//! One try at one migration.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;

use super::control::{Control, Stop};
use super::event::{Event, EventSink};
use crate::engine::{Canceller, Engine, Failure, FailureKind, Job, Note, Notices, Outcome, Worker};
use crate::graph::Node;

/// A try that is to be made after a while, because of the failure before it.
pub(super) struct Later {
    pub(super) delay: Duration,
    pub(super) failure: Box<Failure>,
}

/// How a try ended: the worker goes back to the idle ones.
pub(super) struct Tried<W> {
    pub(super) node: Node,
    pub(super) worker: Option<W>,
    pub(super) outcome: Outcome,
    /// What the server said meanwhile; `None` when this was no new try.
    pub(super) notices: Option<Notices>,
}

/// What every try may use, from within the one task.
pub(super) struct Shared<'e, E: Engine> {
    engine: &'e E,
    events: RefCell<&'e mut dyn EventSink>,
    control: Control,
    cancellers: RefCell<BTreeMap<Node, Rc<<E::Worker as Worker>::Canceller>>>,
    /// What was put right, by migration.
    healed: RefCell<BTreeMap<Node, Vec<String>>>,
}

impl<'e, E: Engine> Shared<'e, E> {
    pub(super) fn new(engine: &'e E, control: Control, events: &'e mut dyn EventSink) -> Self {
        Self {
            engine,
            control,
            events: RefCell::new(events),
            cancellers: RefCell::default(),
            healed: RefCell::default(),
        }
    }

    pub(super) fn tell(&self, event: &Event<'_>) {
        self.events.borrow_mut().event(event);
    }

    /// Tries once, on an idle worker or a new one.
    pub(super) async fn attempt(
        &self,
        node: Node,
        job: Job<'_>,
        idle: Option<E::Worker>,
        later: Option<Later>,
    ) -> Tried<E::Worker> {
        let mut control = self.control.clone();
        if let Some(Later { delay, failure }) = later {
            tokio::select! {
                biased;
                () = tokio::time::sleep(delay) => {}
                () = control.stopped() => {
                    let outcome = Err(failure);
                    return Tried { node, worker: idle, outcome, notices: None };
                }
            }
        }
        let notices = RefCell::new(Notices::default());
        let worker = match idle {
            Some(worker) => Ok(worker),
            None => self.engine.worker().await,
        };
        let (worker, outcome) = match worker {
            Ok(mut worker) => {
                let outcome = self.apply((node, job), &mut worker, &notices).await;
                (Some(worker).filter(Worker::is_usable), outcome)
            }
            Err(failure) => (None, Err(failure)),
        };
        Tried { node, worker, outcome, notices: Some(notices.into_inner()) }
    }

    async fn apply(
        &self,
        (node, job): (Node, Job<'_>),
        worker: &mut E::Worker,
        notices: &RefCell<Notices>,
    ) -> Outcome {
        worker.prepare().await?;
        // Asked to cancel while the session was being opened: nothing was sent.
        if self.control.current() == Stop::Cancel {
            let failure = Failure::new(FailureKind::NotStarted, "cancelled before it began");
            return Err(Box::new(failure));
        }
        self.cancellers.borrow_mut().insert(node, Rc::new(worker.canceller()));
        let tell = |note: Note<'_>| match note {
            Note::Statement(number) => self.tell(&Event::Statement { node, number }),
            Note::Healed(how) => self.note_healed(node, how),
            Note::Notice(notice) => {
                if let Some(notice) = notices.borrow_mut().push(notice) {
                    self.tell(&Event::Notice { node, notice });
                }
            }
        };
        let outcome = worker.apply(job, &tell).await;
        self.cancellers.borrow_mut().remove(&node);
        let count = notices.borrow().omitted();
        if count > 0 {
            self.tell(&Event::NoticesOmitted { node, count });
        }
        outcome
    }

    fn note_healed(&self, node: Node, how: &str) {
        self.healed.borrow_mut().entry(node).or_default().push(how.to_owned());
        self.tell(&Event::Healed { node, how });
    }

    /// What was put right, by migration, in the order in which it was.
    pub(super) fn healed(&self) -> BTreeMap<Node, Vec<String>> {
        self.healed.take()
    }

    /// Asks the server to cancel everything that runs.
    pub(super) async fn cancel_all(&self) {
        let cancellers: Vec<_> = self.cancellers.borrow().values().cloned().collect();
        join_all(cancellers.iter().map(|canceller| canceller.cancel())).await;
    }
}
