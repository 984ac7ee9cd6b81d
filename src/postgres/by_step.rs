//! Applying a migration that does not run in one transaction, step by step.
//!
//! A segment is one transaction together with the row that says so: it is done and
//! recorded, or neither. Around a statement that cannot be in one stand two rows:
//! before it one that says `started` is committed, after it that it is finished; so
//! a later run knows which were done, and which one nobody knows about. What only
//! changes the session is not recorded: a resumed script needs it again.

use std::cell::Cell;
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use postgres_protocol::escape::escape_literal;
use tokio_postgres::error::DbError;
use tokio_postgres::{Error, SimpleQueryMessage};

use super::engine::Run;
use super::error::reason;
use super::failure;
use super::left_behind::captured;
use super::message::{AS_OURSELVES, Place, Timeouts, timeouts};
use super::notices;
use super::resolve::{FOUND, not_recorded, resolve_record, resolve_segment};
use super::session::Session;
use super::transactional::{self, Ended, Exchange};
use crate::engine::{Failure, FailureKind, Job, Note, Outcome, Progress, Receipt, Retry};
use crate::model::{Block, Statement, StatementKind, Step};
use crate::parse::statement_checksum;
use crate::syntax::may_change_session;

/// Applies what is left of `job`.
pub(super) async fn apply(
    run: &Run<'_>,
    session: &mut Session,
    (job, steps): (Job<'_>, &[Step]),
    tell: &dyn Fn(Note<'_>),
) -> Outcome {
    let mut script = ScriptRun { run, session, job, tell };
    let left = script.left_behind(job.progress.completed).await?;
    let own = Timeouts { lock: Some(Duration::ZERO), ..run.context.timeouts };
    for set in timeouts("SET", job, own) {
        script.send(&set).await.map_err(|error| failure::not_sent(&error))?;
    }
    for (index, step) in steps.iter().enumerate() {
        let is_last = index + 1 == steps.len();
        match script.step(step, is_last).await {
            Ok(Some(receipt)) => return Ok(receipt),
            Ok(None) => {}
            Err(failure) => return Err(script.behind(step, *failure).await),
        }
        if let Some((_, left)) = left.as_ref().filter(|(number, _)| *number == step.number()) {
            script.bring_back(step.number(), left).await?;
        }
    }
    let receipt = script.record().await?;
    // A session that cannot be cleaned shows at its next use.
    let _ = script.session.clean().await;
    Ok(receipt)
}

/// A script while it runs.
pub(super) struct ScriptRun<'a, 'l> {
    pub(super) run: &'a Run<'l>,
    pub(super) session: &'a mut Session,
    pub(super) job: Job<'a>,
    pub(super) tell: &'a dyn Fn(Note<'_>),
}

impl ScriptRun<'_, '_> {
    /// With the last segment comes the receipt.
    async fn step(&mut self, step: &Step, is_last: bool) -> Result<Option<Receipt>, Box<Failure>> {
        let is_done = step.statements().end <= self.job.progress.completed;
        match step {
            Step::Segment(block) if is_done => self.settings_of(block).await.map(|()| None),
            Step::Segment(block) => {
                self.tell_of(step.number());
                let receipt = self.segment(step, block, is_last).await?;
                if !is_last && may_change_session(self.job.migration, step) {
                    self.remember(step.number()).await?;
                }
                Ok(receipt)
            }
            Step::Bare(index) => {
                let statement = &self.job.migration.up.statements[*index];
                if statement.kind == StatementKind::Session {
                    self.tell_of(step.number());
                    self.setting(step.number(), statement).await?;
                } else if !is_done {
                    self.bare(step.number(), statement).await?;
                }
                Ok(None)
            }
        }
    }

    /// Changes the session, and nothing that a fence would have to guard.
    async fn setting(&self, number: usize, statement: &Statement) -> Result<(), Box<Failure>> {
        let sql = self.job.migration.source.slice(statement.span);
        match self.heard(number, self.send(sql)).await {
            Ok(_) => Ok(()),
            Err(error) if error.as_db_error().is_none() => {
                Err(failure::lost(FailureKind::Halted, Some(&error)))
            }
            Err(error) => Err(failure::of_statement(self.job, number, &error)),
        }
    }

    /// What a segment that is done has left in the session, for those behind it.
    async fn settings_of(&self, block: &Block) -> Result<(), Box<Failure>> {
        for index in block.statements.clone() {
            let statement = &self.job.migration.up.statements[index];
            if statement.kind == StatementKind::Session {
                self.setting(index + 1, statement).await?;
            }
        }
        Ok(())
    }

    async fn segment(
        &mut self,
        step: &Step,
        block: &Block,
        is_last: bool,
    ) -> Result<Option<Receipt>, Box<Failure>> {
        let script = &self.job.migration.up;
        let sql = self.job.migration.source.slice(script.span_of(step));
        let checksum = statement_checksum(sql).to_hex();
        let watched = may_change_session(self.job.migration, step);
        if watched {
            let watching = self.send(&self.run.context.watch()).await;
            watching.map_err(|error| failure::lost(FailureKind::Halted, Some(&error)))?;
        }
        let frame =
            self.run.context.segment_frame(self.job, (block, &checksum), (watched, is_last));
        let refused = FailureKind::Halted;
        let at = Cell::new(Place::Opening);
        let exchange = Exchange { job: self.job, block, frame: &frame, is_last, refused, at };
        match exchange.run(self.session, self.tell).await? {
            Ended::Committed(receipt) => Ok(receipt),
            Ended::Unclear(error) => {
                let what = (self.job, step.number());
                let resolving = resolve_segment(self.run, self.session.pid(), what, error.as_ref());
                let receipt = resolving.await?;
                (self.tell)(Note::Healed(FOUND));
                Ok(receipt)
            }
        }
    }

    /// The failure of a step, with what the next try may leave out. There is none in
    /// this run when it could not have the same session.
    async fn behind(&self, step: &Step, failure: Failure) -> Box<Failure> {
        let begun = Progress { completed: step.statements().start, begun: None };
        let progress = failure.progress.unwrap_or(begun);
        let mut failure = Failure { progress: Some(progress), ..failure };
        if failure.kind == FailureKind::NotStarted && progress.completed > 0 {
            // The step is not, the migration is.
            failure.kind = FailureKind::Halted;
            failure.statement = Some(step.number());
        }
        if failure.retry != Retry::Never
            && let Err(gone) = self.left_behind(progress.completed).await
        {
            failure.retry = Retry::Never;
            failure.hint = Some(gone.message);
        }
        Box::new(failure)
    }

    /// The message that changes columns of the step's row, the session's among them
    /// when the step may have changed it.
    pub(super) fn note(&self, number: usize, changes: &[&str]) -> String {
        let context = &self.run.context;
        let (mut capture, mut changes) = (String::new(), changes.to_vec());
        let step = self.job.migration.up.step(number);
        if step.is_some_and(|step| may_change_session(self.job.migration, step)) {
            let captured = captured(context.work_key);
            // Before the role is ours again.
            capture = format!(
                "SELECT pg_catalog.set_config('migraph.session',({captured})::pg_catalog.text,true);"
            );
            changes.push("session=pg_catalog.current_setting('migraph.session')::pg_catalog.jsonb");
        }
        format!(
            "BEGIN;SET LOCAL synchronous_commit=on;{capture}{AS_OURSELVES}UPDATE {} SET {} WHERE migration_id OPERATOR(pg_catalog.=) {} AND statement OPERATOR(pg_catalog.=) {number};COMMIT",
            context.ledger.statements(),
            changes.join(","),
            escape_literal(self.job.migration.id.as_str()),
        )
    }

    /// The step is done and recorded, and its session is lost.
    pub(super) fn lost_behind(&self, number: usize, error: &Error) -> Failure {
        let message = format!(
            "statement {number} is done and recorded, but the session was lost behind it: {}",
            reason(error)
        );
        let end = self.job.migration.up.step(number).map_or(number, |step| step.statements().end);
        Failure {
            message,
            retry: Retry::Never,
            progress: Some(Progress { completed: end, begun: None }),
            hint: Some("run `migraph up` again".to_owned()),
            ..failure::server(FailureKind::Halted, error)
        }
    }

    /// Tells that a statement is sent.
    pub(super) fn tell_of(&self, number: usize) {
        (self.tell)(Note::Statement(number));
    }

    /// Does `work`, which is one statement of the script, and passes on what the
    /// server says meanwhile.
    pub(super) async fn heard<T>(&self, number: usize, work: impl Future<Output = T>) -> T {
        let hear = |said: &DbError| notices::pass_on(self.tell, Some(number), said);
        self.session.ear().listen(work, hear).await
    }

    /// Sends one message and waits for its end.
    pub(super) async fn send(&self, sql: &str) -> Result<Option<Receipt>, Error> {
        let answer = self.session.client().simple_query_raw(sql).await?;
        pin_mut!(answer);
        let mut receipt = None;
        while let Some(message) = answer.next().await {
            if let SimpleQueryMessage::Row(row) = message? {
                receipt = transactional::receipt(&row).or(receipt);
            }
        }
        Ok(receipt)
    }

    /// Proves that this run is alive and alone, takes WORK for the session, and
    /// commits `sql` with it. WORK is taken anew each time: a statement of the
    /// script may have released it.
    pub(super) async fn fenced(&self, sql: &str) -> Result<(), Box<Failure>> {
        let context = &self.run.context;
        let message = format!(
            "BEGIN;SET LOCAL synchronous_commit=on;SELECT pg_catalog.pg_try_advisory_lock_shared({});SELECT {};{AS_OURSELVES}{sql}COMMIT",
            context.work_key,
            context.fence("-"),
        );
        match self.send(&message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Box::new(failure::guard(&error).unwrap_or_else(|| {
                let mut failure = failure::server(FailureKind::Halted, &error);
                failure.message =
                    format!("could not record the start of a statement: {}", failure.message);
                failure
            }))),
        }
    }

    /// Writes the migration's row once every statement is finished.
    async fn record(&self) -> Outcome {
        let record = self.run.context.record_of_steps(self.job);
        let fence = self.run.context.fence("-");
        let message = format!(
            "BEGIN;SET LOCAL synchronous_commit=on;{AS_OURSELVES}SELECT {fence};{record};COMMIT"
        );
        match self.send(&message).await {
            Ok(Some(receipt)) => Ok(receipt),
            Ok(None) => Err(not_recorded("the server gave no receipt")),
            Err(error) if error.as_db_error().is_none() => {
                let pid = self.session.pid();
                let receipt = resolve_record(self.run, pid, self.job, &error).await?;
                (self.tell)(Note::Healed(FOUND));
                Ok(receipt)
            }
            Err(error) => {
                let guard = failure::guard(&error).map(|failure| failure.message);
                Err(not_recorded(&guard.unwrap_or_else(|| reason(&error))))
            }
        }
    }
}
