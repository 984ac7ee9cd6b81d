//! The real engine: sessions of a pool, each applying one migration at a time.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::CancelToken;

use super::error::ConnectError;
use super::ledger::Ledger;
use super::lock::RunLock;
use super::message::{RunContext, Timeouts};
use super::session::Session;
use super::target::Target;
use super::{by_step, failure, record, transactional};
use crate::engine::{Canceller, Engine, Failure, FailureKind, Job, Note, Outcome, Worker};
use crate::model::Execution;

/// A cancel request opens a connection of its own; it is not waited for longer.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);

/// Applies migrations to one database. Borrows the run lock: there is no engine
/// without one.
pub struct Postgres<'l>(Arc<Run<'l>>);

/// What all workers of a run share.
pub(super) struct Run<'l> {
    pub(super) lock: &'l RunLock,
    pub(super) context: RunContext,
    target: Target,
    pool: Pool,
}

impl<'l> Postgres<'l> {
    /// An engine for the run `batch` (a UUID) with at most `jobs` workers, at
    /// `target`, which the lock's own session has reached.
    ///
    /// deadpool's recycling is of no use here: it hands on aborted transactions
    /// or silently opens new sessions. Each worker keeps its session for the run
    /// and cleans it itself.
    pub fn new(
        target: &Target,
        lock: &'l RunLock,
        (ledger, batch): (&Ledger, &str),
        (jobs, timeouts): (usize, Timeouts),
    ) -> Result<Self, ConnectError> {
        let target = target.clone();
        let manager = Manager::from_connect(
            target.bare().clone(),
            target.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        // Twice the jobs: each may have to look up what became of a lost session.
        let pool = Pool::builder(manager)
            .max_size(jobs * 2)
            .create_timeout(target.session_timeout())
            .runtime(Runtime::Tokio1)
            .build();
        let pool = pool.map_err(|error| ConnectError {
            target: target.to_string(),
            reason: error.to_string(),
            sqlstate: None,
            help: String::new(),
            transient: false,
        })?;
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        let context = RunContext {
            ledger: ledger.clone(),
            batch: batch.to_owned(),
            work_key: lock.work_key(),
            run_key: lock.run_key(),
            host,
            timeouts,
        };
        Ok(Self(Arc::new(Run { lock, context, target, pool })))
    }
}

impl Run<'_> {
    /// A new session.
    pub(super) async fn session(&self) -> Result<Session, ConnectError> {
        let pooled = self.pool.get().await;
        let pooled = pooled.map_err(|error| ConnectError::from_pool(&self.target, &error))?;
        Session::new(pooled, &self.target).await
    }

    async fn worker_session(&self) -> Result<Session, Box<Failure>> {
        self.answered(FailureKind::NotStarted, self.open()).await
    }

    /// Waits for `work`, or until the server will answer nothing any more: then it is
    /// of this kind.
    async fn answered<T>(
        &self,
        kind: FailureKind,
        work: impl Future<Output = Result<T, Box<Failure>>>,
    ) -> Result<T, Box<Failure>> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.lock.silenced() => Err(failure::silence(kind)),
        }
    }

    async fn open(&self) -> Result<Session, Box<Failure>> {
        self.session().await.map_err(|error| {
            let failure = Failure::new(FailureKind::NotStarted, error.to_string());
            let retry = error.retry();
            Box::new(Failure { sqlstate: error.sqlstate, retry, ..failure.hint(error.help) })
        })
    }
}

impl<'l> Engine for Postgres<'l> {
    type Worker = PostgresWorker<'l>;

    async fn worker(&self) -> Result<Self::Worker, Box<Failure>> {
        let session = Some(self.0.worker_session().await?);
        Ok(PostgresWorker { run: Arc::clone(&self.0), session })
    }
}

/// One session of the pool. Any error or surprise takes the session away.
pub struct PostgresWorker<'l> {
    run: Arc<Run<'l>>,
    session: Option<Session>,
}

impl Worker for PostgresWorker<'_> {
    type Canceller = PostgresCanceller;

    async fn prepare(&mut self) -> Result<(), Box<Failure>> {
        let clean = match &mut self.session {
            Some(session) => {
                let cleaned = async { Ok(session.cleaned().await.is_ok()) };
                self.run.answered(FailureKind::NotStarted, cleaned).await? && session.is_fit()
            }
            None => false,
        };
        if !clean {
            // Never run anything in a session that was not left clean.
            if let Some(session) = self.session.take() {
                session.discard();
            }
            self.session = Some(self.run.worker_session().await?);
        }
        Ok(())
    }

    fn canceller(&self) -> PostgresCanceller {
        let token = self.session.as_ref().map(Session::cancel_token);
        PostgresCanceller { target: self.run.target.clone(), token }
    }

    async fn apply(&mut self, job: Job<'_>, tell: &dyn Fn(Note<'_>)) -> Outcome {
        let Some(mut session) = self.session.take() else {
            return Err(Box::new(Failure::new(FailureKind::NotStarted, "the session was lost")));
        };
        let work = async {
            match &job.migration.up.execution {
                Execution::Transaction { modes } => {
                    transactional::apply(&self.run, &mut session, (job, modes), tell).await
                }
                Execution::Steps(steps) => {
                    by_step::apply(&self.run, &mut session, (job, steps), tell).await
                }
            }
        };
        let mut outcome = self.run.answered(FailureKind::Unknown, work).await;
        match &mut outcome {
            Ok(_) if session.is_fit() => self.session = Some(session),
            Ok(_) => session.discard(),
            Err(failure) => {
                let pid = session.pid();
                session.discard();
                failure.unrecorded = record::failed(&self.run, pid, job, failure).await.err();
            }
        }
        outcome
    }

    fn is_usable(&self) -> bool {
        self.session.is_some()
    }
}

/// Cancels what one session is doing.
pub struct PostgresCanceller {
    target: Target,
    token: Option<CancelToken>,
}

impl Canceller for PostgresCanceller {
    async fn cancel(&self) {
        if let Some(token) = &self.token {
            // Whether it was heard shows in the outcome; the run loop repeats it.
            let _ = tokio::time::timeout(CANCEL_TIMEOUT, self.target.cancel(token)).await;
        }
    }
}
