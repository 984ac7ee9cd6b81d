//! What the run loop needs of a database. Pure: the real one is
//! [`crate::postgres`], and a test may have its own.

mod notice;

use std::time::Duration;

use jiff::Timestamp;

pub use self::notice::{Level, Notice, Notices};
use crate::model::{Migration, Span};

/// One migration to apply.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// What to run.
    pub migration: &'a Migration,
    /// Its layer in the plan, from 0, for the record.
    pub layer: usize,
    /// How far earlier tries have come.
    pub progress: Progress,
}

/// How far earlier tries, of this run or another, have come with a script that
/// runs step by step. Nothing for a script that runs in one transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many of its statements are done and recorded.
    pub completed: usize,
    /// The number, from 1, of one behind them that was begun, and nobody saw its
    /// end. It is one that can be looked for.
    pub begun: Option<usize>,
}

/// What a worker tells while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note<'a> {
    /// The statement of this number, from 1, is sent on its own.
    Statement(usize),
    /// What an earlier try left half done was put right, or what was done unseen was
    /// found: how.
    Healed(&'a str),
    /// The server said something that is no answer.
    Notice(Notice),
}

/// That a migration is applied, as the database's own record says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Receipt {
    /// How long the script ran, in milliseconds by the server's clock; lock
    /// waits included.
    pub execution_time_ms: f64,
    /// When it was applied.
    pub applied_at: Timestamp,
}

/// What is known about a migration that did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The server refused something; all of the migration is rolled back.
    RolledBack,
    /// We cancelled it because the run was asked to. All of it is rolled back, but
    /// for the steps of a script without a transaction that are done and recorded.
    Cancelled,
    /// The server refused a statement of a script that runs without a
    /// transaction; the statements before it are done and recorded.
    Halted,
    /// A statement outside a transaction was sent and nobody knows how it ended.
    Interrupted,
    /// It was never sent.
    NotStarted,
    /// The answer was lost, and asking the ledger gave none either.
    Unknown,
}

/// Whether trying again may help. Only said of what was rolled back whole, was
/// never sent, or can be looked for and put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// The same would happen again, or nobody knows what happened.
    #[default]
    Never,
    /// After a moment: a deadlock, or a race for a row of the catalogue.
    Again,
    /// When somebody has let go of a lock.
    Locked,
    /// While nothing else runs: the server's lock table is full.
    Alone,
    /// When a session can be had.
    Connect,
    /// The server gives no further session: go on with those there are.
    FewerSessions,
}

/// Why a migration is not applied, for people and machines.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What state it leaves behind.
    pub kind: FailureKind,
    /// What happened: the server's own message, or ours.
    pub message: String,
    /// The server's five-character code, when there was one.
    pub sqlstate: Option<String>,
    /// The server's detail.
    pub detail: Option<String>,
    /// The server's hint, or ours.
    pub hint: Option<String>,
    /// The server's context: which function, at which line of it.
    pub context: Option<String>,
    /// The statement in the up script, from 1.
    pub statement: Option<usize>,
    /// The place in the file.
    pub span: Option<Span>,
    /// Whether trying again may help.
    pub retry: Retry,
    /// Why the ledger may have no row of this try, when it ought to have one.
    pub unrecorded: Option<String>,
    /// How far a script that runs step by step has come, for the next try; `None`
    /// for one that runs in one transaction, and for a try that did not get there.
    pub progress: Option<Progress>,
}

impl Failure {
    /// A failure of our own, without anything from the server.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            sqlstate: None,
            detail: None,
            hint: None,
            context: None,
            statement: None,
            span: None,
            retry: Retry::Never,
            unrecorded: None,
            progress: None,
        }
    }

    /// The same, with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How one try at a migration ended.
pub type Outcome = Result<Receipt, Box<Failure>>;

/// A database that migrations are applied to, under a run lock that its maker
/// holds.
#[expect(async_fn_in_trait, reason = "the run loop is one task on one thread")]
pub trait Engine {
    /// What applies one migration at a time.
    type Worker: Worker;

    /// A worker with a session of its own.
    async fn worker(&self) -> Result<Self::Worker, Box<Failure>>;
}

/// A session that applies migrations, one after another.
#[expect(async_fn_in_trait, reason = "the run loop is one task on one thread")]
pub trait Worker {
    /// What can end its work.
    type Canceller: Canceller;

    /// Makes sure that nothing of an earlier migration is left in the session.
    async fn prepare(&mut self) -> Result<(), Box<Failure>>;

    /// A handle that cancels whatever this worker does from now on.
    fn canceller(&self) -> Self::Canceller;

    /// Applies one migration and records it, or neither, in a session that was
    /// prepared for it, and tells what happens meanwhile.
    ///
    /// A worker whose session cannot be trusted any more says so by
    /// [`Worker::is_usable`]; its next migration needs another.
    async fn apply(&mut self, job: Job<'_>, tell: &dyn Fn(Note<'_>)) -> Outcome;

    /// False after an error or a surprise.
    fn is_usable(&self) -> bool;
}

/// Cancels the work of one session.
#[expect(async_fn_in_trait, reason = "the run loop is one task on one thread")]
pub trait Canceller {
    /// Asks the server to cancel. The answer comes as the outcome of the work.
    async fn cancel(&self);
}

/// The time that a receipt tells.
impl Receipt {
    /// The execution time as a duration.
    pub fn execution_time(&self) -> Duration {
        Duration::try_from_secs_f64(self.execution_time_ms / 1e3).unwrap_or_default()
    }
}
