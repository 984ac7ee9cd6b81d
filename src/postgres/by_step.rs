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
use super::message::{AS_OURSELVES, Place, Timeouts, timeouts};
use super::notices;
use super::resolve::resolve_segment;
use super::session::Session;
use super::transactional::{self, Ended, Exchange};
use crate::engine::{Failure, FailureKind, Job, Outcome, Progress, Receipt};
use crate::model::{Block, Statement, StatementKind, Step};
use crate::parse::statement_checksum;
use crate::syntax::{IndexName, index_if_not_exists};

/// Applies what is left of `job`.
pub(super) async fn apply(
    run: &Run<'_>,
    session: &mut Session,
    (job, steps): (Job<'_>, &[Step]),
    tell: &dyn Fn(Progress),
) -> Outcome {
    let mut script = ScriptRun { run, session, job, tell };
    let own = Timeouts { lock: Some(Duration::ZERO), ..run.context.timeouts };
    for set in timeouts("SET", job, own) {
        script.send(&set).await.map_err(|error| failure::not_sent(&error))?;
    }
    for (index, step) in steps.iter().enumerate() {
        let is_last = index + 1 == steps.len();
        if let Some(receipt) = script.step(step, is_last).await? {
            return Ok(receipt);
        }
    }
    let receipt = script.record().await?;
    // A session that cannot be cleaned shows at its next use.
    let _ = script.session.clean().await;
    Ok(receipt)
}

struct ScriptRun<'a, 'l> {
    run: &'a Run<'l>,
    session: &'a mut Session,
    job: Job<'a>,
    tell: &'a dyn Fn(Progress),
}

impl ScriptRun<'_, '_> {
    /// With the last segment comes the receipt.
    async fn step(&mut self, step: &Step, is_last: bool) -> Result<Option<Receipt>, Box<Failure>> {
        let is_done = step.statements().end <= self.job.completed;
        match step {
            Step::Segment(block) if is_done => self.settings_of(block).await.map(|()| None),
            Step::Segment(block) => {
                self.tell_of(step.number());
                self.segment(step, block, is_last).await
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
        let frame = self.run.context.segment_frame(self.job, block, &checksum, is_last);
        let refused = FailureKind::Halted;
        let at = Cell::new(Place::Opening);
        let exchange = Exchange { job: self.job, block, frame: &frame, is_last, refused, at };
        match exchange.run(self.session, self.tell).await? {
            Ended::Committed(receipt) => Ok(receipt),
            Ended::Unclear(error) => {
                let what = (self.job, step.number());
                resolve_segment(self.run, self.session.pid(), what, error.as_ref()).await
            }
        }
    }

    /// A statement outside of any transaction of ours.
    async fn bare(&self, number: usize, statement: &Statement) -> Result<(), Box<Failure>> {
        let sql = self.job.migration.source.slice(statement.span);
        self.fenced(&self.started(number, sql)).await?;
        self.tell_of(number);
        if let Err(error) = self.heard(number, self.send(sql)).await {
            return Err(self.failed(number, statement, &error).await);
        }
        if let Some(index) = index_if_not_exists(sql) {
            self.check_valid(number, &index).await?;
        }
        self.finish(number).await
    }

    /// Tells that a statement is sent.
    fn tell_of(&self, number: usize) {
        (self.tell)(Progress::Statement(number));
    }

    /// Does `work`, which is one statement of the script, and passes on what the
    /// server says meanwhile.
    async fn heard<T>(&self, number: usize, work: impl Future<Output = T>) -> T {
        let hear = |said: &DbError| notices::pass_on(self.tell, Some(number), said);
        self.session.ear().listen(work, hear).await
    }

    /// Sends one message and waits for its end.
    async fn send(&self, sql: &str) -> Result<Option<Receipt>, Error> {
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
    async fn fenced(&self, sql: &str) -> Result<(), Box<Failure>> {
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

    fn started(&self, number: usize, sql: &str) -> String {
        let context = &self.run.context;
        let (batch, checksum) = (escape_literal(&context.batch), statement_checksum(sql).to_hex());
        format!(
            "INSERT INTO {} (migration_id,statement,checksum,batch_id,started_at) VALUES ({},{number},'{checksum}',{batch},pg_catalog.clock_timestamp());",
            self.statements(),
            self.id(),
        )
    }

    /// Records that a statement is done. A cancel meant for the statement may
    /// hit this instead, or the session may just have been lost: the statement is
    /// done all the same, and the coordinator's session can still say so.
    async fn finish(&self, number: usize) -> Result<(), Box<Failure>> {
        let update = format!(
            "UPDATE {} SET finished_at=pg_catalog.clock_timestamp() WHERE migration_id OPERATOR(pg_catalog.=) {} AND statement OPERATOR(pg_catalog.=) {number}",
            self.statements(),
            self.id(),
        );
        let message =
            format!("BEGIN;SET LOCAL synchronous_commit=on;{AS_OURSELVES}{update};COMMIT");
        let Err(error) = self.send(&message).await else { return Ok(()) };
        if self.run.lock.client().batch_execute(&message).await.is_err() {
            return Err(self.interrupted(number, &error));
        }
        let message = format!(
            "statement {number} is done and recorded, but the session was lost behind it: {}",
            reason(&error)
        );
        let failure = failure::server(FailureKind::Halted, &error);
        Err(Box::new(Failure {
            message,
            hint: Some("run `migraph up` again".to_owned()),
            ..failure
        }))
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
            Ok(None) => Err(Self::not_recorded("the server gave no receipt")),
            Err(error) => Err(Self::not_recorded(&reason(&error))),
        }
    }

    fn not_recorded(why: &str) -> Box<Failure> {
        let message = format!("every step is done, but the migration could not be recorded: {why}");
        Box::new(
            Failure::new(FailureKind::Halted, message)
                .hint("run `migraph up` again: it records it without running a statement twice"),
        )
    }

    /// A statement that the server refused is known not to be done, so that a
    /// later run may try it again.
    async fn failed(&self, number: usize, statement: &Statement, error: &Error) -> Box<Failure> {
        if error.as_db_error().is_none() {
            return self.interrupted(number, error);
        }
        let sql = format!(
            "DELETE FROM {} WHERE migration_id = $1 AND statement = $2 AND finished_at IS NULL",
            self.statements()
        );
        let id = self.job.migration.id.as_str();
        let number_for_sql = i32::try_from(number).unwrap_or(i32::MAX);
        // If this fails, the next run takes it for interrupted, which is safe.
        let _ = self.run.lock.client().execute(&sql, &[&id, &number_for_sql]).await;
        let mut failure = failure::of_statement(self.job, number, error);
        let what = match statement.kind {
            StatementKind::NonTransactional(what) => what,
            _ => "",
        };
        if what.contains("CONCURRENTLY") {
            failure.hint = self.invalid_indexes().await.or(failure.hint);
        }
        failure
    }

    /// What a `CONCURRENTLY` that failed has left behind, as advice.
    async fn invalid_indexes(&self) -> Option<String> {
        // Parents made with ON ONLY (relkind I) are invalid until all parts are attached.
        let sql = "SELECT pg_catalog.string_agg(indexrelid::pg_catalog.regclass::text, ', ')
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            WHERE NOT i.indisvalid AND c.relkind = 'i'";
        let row = self.run.lock.client().query_one(sql, &[]).await.ok()?;
        let names: String = row.get::<_, Option<String>>(0)?;
        Some(format!(
            "there are INVALID indexes, left by this or an earlier failure: {names}; drop them with DROP INDEX CONCURRENTLY before the next `up`"
        ))
    }

    fn interrupted(&self, number: usize, error: &Error) -> Box<Failure> {
        let message = format!(
            "the connection was lost during statement {number}, which may have done its work or not: {}",
            reason(error)
        );
        let statements = &self.job.migration.up.statements;
        Box::new(Failure {
            statement: Some(number),
            span: statements.get(number - 1).map(|statement| statement.span),
            ..Failure::new(FailureKind::Interrupted, message)
                .hint("the next `migraph up` stops here and says what to do")
        })
    }

    /// `IF NOT EXISTS` is content with an INVALID index of that name, which an
    /// earlier failure has left behind.
    async fn check_valid(&self, number: usize, index: &IndexName) -> Result<(), Box<Failure>> {
        let sql = "SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            WHERE c.relname = $1 AND i.indrelid = pg_catalog.to_regclass($2)";
        let found = self.session.client().query_opt(sql, &[&index.name, &index.table]).await;
        let valid = match found {
            Ok(row) => row.is_some_and(|row| row.get(0)),
            Err(error) => return Err(self.interrupted(number, &error)),
        };
        if valid {
            return Ok(());
        }
        let message = format!(
            "the index `{}` is INVALID: an earlier failure left it, and IF NOT EXISTS kept it",
            index.name
        );
        let statements = &self.job.migration.up.statements;
        let failure = Failure {
            statement: Some(number),
            span: statements.get(number - 1).map(|statement| statement.span),
            ..Failure::new(FailureKind::Halted, message).hint(format!(
                "run `DROP INDEX CONCURRENTLY {}`, then `migraph up` again",
                index.name
            ))
        };
        let sql = format!(
            "DELETE FROM {} WHERE migration_id = $1 AND finished_at IS NULL",
            self.statements()
        );
        let _ = self.run.lock.client().execute(&sql, &[&self.job.migration.id.as_str()]).await;
        Err(Box::new(failure))
    }

    fn statements(&self) -> String {
        self.run.context.ledger.statements()
    }

    fn id(&self) -> String {
        escape_literal(self.job.migration.id.as_str())
    }
}
