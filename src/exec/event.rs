//! What happens during a run, while it happens.

use std::time::Duration;

use super::control::Stop;
use crate::engine::{Failure, Notice, Receipt};
use crate::graph::Node;

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A migration was handed to a worker.
    Started {
        /// Which.
        node: Node,
    },
    /// One statement of a script that runs statement by statement was sent.
    Statement {
        /// Of which migration.
        node: Node,
        /// Its number, from 1.
        number: usize,
    },
    /// What an earlier try at a migration left half done was put right.
    Healed {
        /// Which.
        node: Node,
        /// How.
        how: &'a str,
    },
    /// The server said something of a migration.
    Notice {
        /// Of which.
        node: Node,
        /// What.
        notice: &'a Notice,
    },
    /// A try at a migration has ended, during which the server said too much to
    /// tell and to keep.
    NoticesOmitted {
        /// Which.
        node: Node,
        /// How many more it said than were told.
        count: usize,
    },
    /// A migration is applied and recorded.
    Applied {
        /// Which.
        node: Node,
        /// What the database says.
        receipt: Receipt,
    },
    /// A migration is not applied.
    Failed {
        /// Which.
        node: Node,
        /// Why.
        failure: &'a Failure,
    },
    /// A migration will be tried again.
    Retrying {
        /// Which.
        node: Node,
        /// Why it was not applied this time.
        failure: &'a Failure,
        /// After how long; `None` when it waits for others to end.
        delay: Option<Duration>,
    },
    /// The server gives no more sessions than these.
    FewerSessions {
        /// How many run at once from now on.
        slots: usize,
    },
    /// Nothing happened for a while; a display may want to show the time.
    Tick,
    /// The run was asked to stop.
    Stopping {
        /// How urgently.
        stop: Stop,
        /// How many migrations are running.
        running: usize,
    },
}

/// Whoever wants to know. Called on the run loop's task: it must not block.
pub trait EventSink {
    /// Takes one event.
    fn event(&mut self, event: &Event<'_>);
}
