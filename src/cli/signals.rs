//! SIGINT and SIGTERM.

use std::cell::Cell;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};

use crate::exec::{Stop, StopSignal};
use crate::exit::Exit;

/// Which signal has come, if any.
#[derive(Clone, Default)]
pub(super) struct Received(Rc<Cell<Option<Exit>>>);

impl Received {
    /// The exit code of the first signal.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.0.get()
    }

    fn note(&self, exit: Exit) {
        self.0.set(self.0.get().or(Some(exit)));
    }
}

/// Passes signals on for as long as it is polled: SIGINT drains, a second one
/// cancels, SIGTERM cancels at once.
pub(super) async fn forward(stop: StopSignal, received: Received) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {
                received.note(Exit::Interrupted);
                let next = if stop.current() == Stop::No { Stop::Drain } else { Stop::Cancel };
                stop.raise(next);
            }
            _ = terminate.recv() => {
                received.note(Exit::Terminated);
                stop.raise(Stop::Cancel);
            }
        }
    }
}
