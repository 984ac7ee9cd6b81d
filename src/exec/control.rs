//! Stopping a run from outside.

use tokio::sync::watch;

/// How far a run has been asked to stop; it only ever gets more urgent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Go on.
    #[default]
    No,
    /// Start nothing more, finish what runs.
    Drain,
    /// Cancel what runs.
    Cancel,
}

/// The side that asks.
#[derive(Debug)]
pub struct StopSignal(watch::Sender<Stop>);

/// The side that is asked. Each clone sees every request.
#[derive(Clone, Debug)]
pub struct Control(watch::Receiver<Stop>);

impl StopSignal {
    /// A new pair, not stopped.
    pub fn new() -> (Self, Control) {
        let (sender, receiver) = watch::channel(Stop::No);
        (Self(sender), Control(receiver))
    }

    /// Asks to stop at least as urgently as `stop`.
    pub fn raise(&self, stop: Stop) {
        self.0.send_if_modified(|now| {
            let more = stop > *now;
            *now = stop.max(*now);
            more
        });
    }

    /// What has been asked so far.
    pub fn current(&self) -> Stop {
        *self.0.borrow()
    }
}

impl Control {
    /// What has been asked so far.
    pub fn current(&self) -> Stop {
        *self.0.borrow()
    }

    /// Waits until more is asked than the last time; for ever when the asking
    /// side is gone.
    pub async fn changed(&mut self) -> Stop {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.0.borrow_and_update()
    }

    /// Waits until anything is asked.
    pub async fn stopped(&mut self) {
        while self.current() == Stop::No {
            self.changed().await;
        }
    }
}
