//! Applying a migration that does not run in one transaction, step by step.
//!
//! A segment is one transaction together with the row that says so: it is done and
//! recorded, or neither. Around a statement that cannot be in one stand two rows:
//! before it one that says `started` is committed, after it that it is finished; so
//! a later run knows which were done, and which one nobody knows about. What only
//! changes the session is not recorded: the rows say what the session was like.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use tokio_postgres::error::DbError;
use tokio_postgres::{Error, SimpleQueryMessage};

use super::engine::Run;
use super::error::reason;
use super::failure;
use super::heal::Before;
use super::left_behind::captured;
use super::message::{AS_OURSELVES, Place, Timeouts, Watch, timeouts};
use super::notices;
use super::resolve::{FOUND, not_recorded, resolve_record, resolve_segment};
use super::session::Session;
use super::transactional::{self, Ended, Exchange};
use crate::engine::{Failure, FailureKind, Job, Note, Outcome, Progress, Receipt, Retry};
use crate::model::{Block, Statement, StatementKind, Step};
use crate::parse::statement_checksum;

/// Applies what is left of `job`.
pub(super) async fn apply(
    run: &Run<'_>,
    session: &mut Session,
    (job, steps): (Job<'_>, &[Step]),
    tell: &dyn Fn(Note<'_>),
) -> Outcome {
    let own = Timeouts { lock: Some(Duration::ZERO), ..run.context.timeouts };
    let captured = captured(job, run.context.work_key, own);
    let seen = RefCell::default();
    let mut script =
        ScriptRun { run, session, job, tell, captured, seen, before: Before::default() };
    let left = script.left_behind(job.progress).await?;
    for set in timeouts("SET", job, own) {
        script.send(&set).await.map_err(|error| failure::not_sent(&error))?;
    }
    let (mut done, mut from) = (0, 0);
    if let Some(left) = left {
        script.bring_back(&left).await?;
        (done, from) = (left.statements, left.from);
        script.before = left.before;
    }
    let last = steps.last().map(Step::number);
    let again = |step: &&Step| {
        let sql = job.migration.source.slice(job.migration.up.span_of(step));
        let loads = sql.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case("load"));
        job.migration.up.changes_the_session(step) && (step.number() > from || loads)
    };
    for step in steps.iter().filter(|step| step.statements().start >= done || again(step)) {
        let is_last = last == Some(step.number());
        match script.step(step, is_last).await {
            Ok(Some(receipt)) => return Ok(receipt),
            Ok(None) => {}
            Err(failure) => return Err(script.behind(step, *failure).await),
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
    /// An SQL expression that tells what the session is like.
    pub(super) captured: String,
    /// What it was when it was last looked at; `None` when it may have changed since.
    pub(super) seen: RefCell<Option<String>>,
    /// What there was before the statement that an earlier try has begun.
    pub(super) before: Before,
}

impl ScriptRun<'_, '_> {
    /// With the last segment comes the receipt.
    async fn step(&mut self, step: &Step, is_last: bool) -> Result<Option<Receipt>, Box<Failure>> {
        match step {
            Step::Segment(block) => {
                self.tell_of(step.number());
                self.segment(step, block, is_last).await
            }
            Step::Bare(index) => {
                let statement = &self.job.migration.up.statements[*index];
                self.seen.take();
                if statement.kind == StatementKind::Session {
                    self.tell_of(step.number());
                    self.setting(step.number(), statement).await?;
                } else {
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

    async fn segment(
        &mut self,
        step: &Step,
        block: &Block,
        is_last: bool,
    ) -> Result<Option<Receipt>, Box<Failure>> {
        let script = &self.job.migration.up;
        let sql = self.job.migration.source.slice(script.span_of(step));
        let checksum = statement_checksum(sql).to_hex();
        // Nobody goes on behind the last one.
        let seen = if is_last { None } else { Some(self.seen().await?) };
        let behind = self.note(step.number(), &[], "AND session IS NULL");
        let watch =
            seen.as_deref().map(|seen| Watch { captured: &self.captured, seen, behind: &behind });
        let what = (block, checksum.as_str());
        let frame = self.run.context.segment_frame(self.job, what, watch, is_last);
        let (refused, at) = (FailureKind::Halted, Cell::new(Place::Opening));
        let is_same = Cell::new(false);
        let exchange =
            Exchange { job: self.job, block, frame: &frame, is_last, refused, at, is_same };
        match exchange.run(self.session, self.tell).await? {
            Ended::Committed(receipt) => {
                if !exchange.is_same.get() {
                    self.seen.take();
                }
                if !is_last && !self.session.is_fit() {
                    return Err(Box::new(self.lost_behind(step.number(), None)));
                }
                Ok(receipt)
            }
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
            && let Err(gone) = self.left_behind(progress).await
        {
            failure.retry = Retry::Never;
            failure.hint = Some(gone.message);
        }
        Box::new(failure)
    }

    /// The message that changes columns of the step's row, the session among them.
    pub(super) fn note(&self, number: usize, changes: &[&str], only: &str) -> String {
        let changes = [
            changes,
            &[
                "found=NULL",
                "session=pg_catalog.current_setting('migraph.session')::pg_catalog.jsonb",
            ],
        ];
        format!(
            "BEGIN;SET LOCAL synchronous_commit=on;{}{AS_OURSELVES}UPDATE {} SET {} WHERE migration_id OPERATOR(pg_catalog.=) {} AND statement OPERATOR(pg_catalog.=) {number} {only};COMMIT",
            self.capture(),
            self.statements(),
            changes.concat().join(","),
            self.id(),
        )
    }

    /// A statement that looks at the session for those behind it in its transaction. It
    /// stands before the role is ours again.
    fn capture(&self) -> String {
        let captured = &self.captured;
        format!(
            "SELECT pg_catalog.set_config('migraph.session',({captured})::pg_catalog.text,true);"
        )
    }

    /// The step is done and recorded, and its session is lost.
    pub(super) fn lost_behind(&self, number: usize, error: Option<&Error>) -> Failure {
        let why = error.map_or_else(|| "it was disturbed".to_owned(), reason);
        let message = format!(
            "statement {number} is done and recorded, but the session was lost behind it: {why}"
        );
        let end = self.job.migration.up.step(number).map_or(number, |step| step.statements().end);
        let of_server = error.map(|error| failure::server(FailureKind::Halted, error));
        Failure {
            message,
            retry: Retry::Never,
            progress: Some(Progress { completed: end, begun: None }),
            hint: Some("run `migraph up` again".to_owned()),
            ..of_server.unwrap_or_else(|| Failure::new(FailureKind::Halted, ""))
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
            "BEGIN;SET LOCAL synchronous_commit=on;SELECT pg_catalog.pg_try_advisory_lock_shared({});SELECT {};{}{AS_OURSELVES}{sql}COMMIT",
            context.work_key,
            context.fence("-"),
            self.capture(),
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
