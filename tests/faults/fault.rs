//! What can go wrong, and when: the schedule of a round, made from its seed.

use std::time::Duration;

use fastrand::Rng;

/// One way to disturb a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL of a runner.
    Kill,
    /// SIGTERM of a runner: it cancels what runs.
    Terminate,
    /// SIGINT of a runner: it finishes what runs.
    Interrupt,
    /// SIGINT twice.
    InterruptTwice,
    /// A runner stands still for a while, and perhaps loses its lock meanwhile.
    Pause,
    /// `pg_terminate_backend` of a session that applies a migration.
    EndWorker,
    /// `pg_cancel_backend` of one.
    CancelWorker,
    /// `pg_terminate_backend` of the session that holds the run lock.
    EndLock,
    /// The network swallows a connection that applies a migration.
    CutWorker,
    /// The same, for the one that holds the run lock.
    CutLock,
    /// The server loses the connection that holds the run lock, and the runner does not
    /// know for a while.
    DeafLock,
    /// The network swallows all of a runner's connections.
    CutAll,
    /// SIGKILL of a server process: the server restarts itself.
    CrashBackend,
    /// The server is stopped as by a crash, and started again.
    StopImmediate,
    /// The server is shut down and started again.
    StopFast,
}

use Fault::{
    CancelWorker, CrashBackend, CutAll, CutLock, CutWorker, DeafLock, EndLock, EndWorker,
    Interrupt, InterruptTwice, Kill, Pause, StopFast, StopImmediate, Terminate,
};

/// Each as often as it stands here.
const CHOICES: [Fault; 30] = [
    Kill,
    Kill,
    Kill,
    Kill,
    Terminate,
    Terminate,
    Interrupt,
    InterruptTwice,
    Pause,
    Pause,
    EndWorker,
    EndWorker,
    EndWorker,
    EndWorker,
    CancelWorker,
    EndLock,
    EndLock,
    EndLock,
    CutWorker,
    CutWorker,
    CutWorker,
    CutLock,
    DeafLock,
    DeafLock,
    DeafLock,
    CutAll,
    CrashBackend,
    StopImmediate,
    StopImmediate,
    StopFast,
];

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Kill => "SIGKILL of a runner",
            Terminate => "SIGTERM of a runner",
            Interrupt => "SIGINT of a runner",
            InterruptTwice => "SIGINT of a runner, twice",
            Pause => "SIGSTOP of a runner, SIGCONT later",
            EndWorker => "pg_terminate_backend of a worker",
            CancelWorker => "pg_cancel_backend of a worker",
            EndLock => "pg_terminate_backend of the lock's session",
            CutWorker => "connection of a worker cut",
            CutLock => "connection of the lock cut",
            DeafLock => "connection of the lock lost, unnoticed",
            CutAll => "all connections of a runner cut",
            CrashBackend => "SIGKILL of a backend",
            StopImmediate => "immediate stop of the server",
            StopFast => "fast stop of the server",
        }
    }

    /// True when it is about the session that holds the run lock.
    pub fn is_of_lock(self) -> bool {
        matches!(self, EndLock | CutLock | DeafLock)
    }

    /// True when it needs a network that can be cut.
    pub fn cuts(self) -> bool {
        matches!(self, CutWorker | CutLock | DeafLock | CutAll)
    }
}

/// What a fault is to hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Whatever is there.
    Anything,
    /// Somebody who applies a migration.
    Work,
    /// Somebody who runs a statement outside of any transaction of ours.
    Bare,
}

/// One fault of a schedule.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    pub fault: Fault,
    /// How long after the one before it.
    pub after: Duration,
    /// What it waits for a while, to hit it.
    pub aim: Aim,
    /// How long it lasts, where that means something.
    pub lasts: Duration,
    /// Chooses among the possible victims.
    pub choice: usize,
}

impl Planned {
    pub fn random(rng: &mut Rng) -> Self {
        let ms = |range| Duration::from_millis(range);
        Self {
            fault: CHOICES[rng.usize(0..CHOICES.len())],
            after: ms(rng.u64(5..400)),
            aim: match rng.u8(0..10) {
                0 => Aim::Anything,
                1..=5 => Aim::Work,
                _ => Aim::Bare,
            },
            lasts: ms(rng.u64(0..1200)),
            choice: rng.usize(0..1_000_000),
        }
    }
}
