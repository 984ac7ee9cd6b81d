//! Running a plan: the ready queue in, events and a result out.
//!
//! The run loop is one task. It starts migrations as the queue allows, each on a
//! worker of its own, and waits for whatever ends first. It never stops in the
//! middle: a failure or a signal ends the dispatch, what runs is waited for, and
//! only then does it report (`docs/design/running.md`).

mod attempt;
mod backoff;
mod circuit;
mod control;
mod event;
mod result;
mod run;
mod state;

pub use control::{Control, Stop, StopSignal};
pub use event::{Event, EventSink};
pub use result::{Ended, RunResult, Skip};
pub use run::{OnFailure, RunOptions, run};
