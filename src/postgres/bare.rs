//! One statement outside of any transaction of ours: recorded as begun before it,
//! as finished after it, and looked for where nobody can be sure.

use postgres_protocol::escape::escape_literal;
use tokio_postgres::Error;

use super::by_step::ScriptRun;
use super::error::reason;
use super::failure;
use super::heal::{Found, look};
use super::message::AS_OURSELVES;
use super::reach::first_row;
use crate::engine::{Failure, FailureKind, Note, Progress, Retry};
use crate::model::{Statement, StatementKind};
use crate::parse::statement_checksum;
use crate::syntax::{Recovery, recovery_of};

/// What is to be done about a statement.
enum Next {
    /// It is done already.
    Finish,
    /// Send this.
    Send(String),
}

impl ScriptRun<'_, '_> {
    /// Runs `statement`, the one of that number (from 1), and makes sure of it.
    pub(super) async fn bare(
        &self,
        number: usize,
        statement: &Statement,
    ) -> Result<(), Box<Failure>> {
        let sql = self.job.migration.source.slice(statement.span);
        let recovery = recovery_of(sql);
        match self.next(number, sql, &recovery).await? {
            Next::Send(message) => {
                self.tell_of(number);
                let ends_itself = statement.kind == StatementKind::Undecided;
                let before = if ends_itself { self.transaction().await } else { None };
                if let Err(error) = self.heard(number, self.send(&message)).await {
                    let is_whole = !ends_itself || self.is_next(before).await;
                    return Err(match is_whole || error.as_db_error().is_none() {
                        true => self.failed(number, &recovery, &error).await,
                        false => self.in_parts(number, &error),
                    });
                }
                self.check(number, &recovery).await?;
                self.finish(number, "pg_catalog.clock_timestamp()").await
            }
            // Nobody knows how long it took.
            Next::Finish => self.finish(number, "started_at").await,
        }
    }

    /// Looks, records that the statement is begun, and clears away what an earlier
    /// try has left.
    async fn next(
        &self,
        number: usize,
        sql: &str,
        recovery: &Recovery,
    ) -> Result<Next, Box<Failure>> {
        let begun = self.job.progress.begun == Some(number);
        let found = self.look(number, recovery).await?;
        match &found {
            Found::Done if begun => {
                (self.tell)(Note::Healed(&format!("statement {number} is done already")));
                return Ok(Next::Finish);
            }
            // Sent and interrupted, it would look as if we had made what is there.
            Found::Done if makes_anew(recovery) => {
                let text = format!("what statement {number} creates is there already");
                return Err(self.halted(number, text));
            }
            Found::Busy(pid) => {
                let text = format!("the backend with pid {pid} is building this index now");
                return Err(self.halted(number, text));
            }
            _ => {}
        }
        self.fenced(&self.started(number, sql)).await?;
        for (drop, told) in found.drops() {
            if let Err(error) = self.send(&drop).await {
                return Err(self.failed(number, recovery, &error).await);
            }
            (self.tell)(Note::Healed(&told));
        }
        if let Found::Pending(end) = found {
            let told = format!("ending statement {number}, which was half done: {end}");
            (self.tell)(Note::Healed(&told));
            return Ok(Next::Send(end));
        }
        Ok(Next::Send(sql.to_owned()))
    }

    async fn look(&self, number: usize, recovery: &Recovery) -> Result<Found, Box<Failure>> {
        let found = look(self.session.client(), recovery).await;
        found.map_err(|error| {
            let failure = failure::server(FailureKind::Halted, &error);
            let message = format!("could not look what there is already: {}", failure.message);
            Box::new(self.at(number, Failure { message, ..failure }))
        })
    }

    /// The server said that it is done. `IF NOT EXISTS` says so of anything that has
    /// the name, an INVALID index included.
    async fn check(&self, number: usize, recovery: &Recovery) -> Result<(), Box<Failure>> {
        let found = self.look(number, recovery).await;
        let found = found.map_err(|failure| self.unseen(number, &failure.message))?;
        let text = match (&found, recovery) {
            (Found::Done, _)
            | (_, Recovery::Ask | Recovery::Repeat)
            | (Found::Nothing, Recovery::Reindex(_)) => return Ok(()),
            (Found::Invalid(indexes), _) => {
                format!("there are INVALID indexes behind it: {}", indexes.join(", "))
            }
            (Found::Nothing, Recovery::CreateIndex { index, table, if_not_exists: true }) => {
                format!(
                    "`{table}` has no index `{index}`: IF NOT EXISTS was content with another relation of that name"
                )
            }
            _ => "the server said that it is done, but it is not to be seen".to_owned(),
        };
        self.forget(number).await;
        Err(self.halted(number, text))
    }

    fn started(&self, number: usize, sql: &str) -> String {
        let context = &self.run.context;
        let (batch, checksum) = (escape_literal(&context.batch), statement_checksum(sql).to_hex());
        format!(
            "INSERT INTO {} AS s (migration_id,statement,checksum,batch_id,started_at) VALUES ({},{number},'{checksum}',{batch},pg_catalog.clock_timestamp()) \
             ON CONFLICT (migration_id,statement) DO UPDATE SET batch_id=excluded.batch_id, started_at=excluded.started_at WHERE s.finished_at IS NULL;",
            self.statements(),
            self.id(),
        )
    }

    /// Records that a statement is done. A cancel meant for the statement may
    /// hit this instead, or the session may just have been lost: the statement is
    /// done all the same, and the coordinator's session can still say so.
    async fn finish(&self, number: usize, at: &str) -> Result<(), Box<Failure>> {
        let update = format!(
            "UPDATE {} SET finished_at={at} WHERE migration_id OPERATOR(pg_catalog.=) {} AND statement OPERATOR(pg_catalog.=) {number}",
            self.statements(),
            self.id(),
        );
        let message =
            format!("BEGIN;SET LOCAL synchronous_commit=on;{AS_OURSELVES}{update};COMMIT");
        let Err(error) = self.send(&message).await else { return Ok(()) };
        if self.run.lock.client().batch_execute(&message).await.is_err() {
            return Err(self.unseen(number, &reason(&error)));
        }
        let message = format!(
            "statement {number} is done and recorded, but the session was lost behind it: {}",
            reason(&error)
        );
        Err(Box::new(Failure {
            message,
            retry: Retry::Never,
            progress: Some(Progress { completed: number, begun: None }),
            hint: Some("run `migraph up` again".to_owned()),
            ..failure::server(FailureKind::Halted, &error)
        }))
    }

    /// The number of the session's transaction; each takes the next one. `None` when
    /// the session is lost.
    async fn transaction(&self) -> Option<i64> {
        let sql = "SELECT pg_catalog.split_part(virtualtransaction, '/', 2)
            FROM pg_catalog.pg_locks
            WHERE locktype = 'virtualxid' AND pid = pg_catalog.pg_backend_pid()";
        let row = first_row(self.session.client(), sql).await.ok()?;
        row.into_iter().next()??.parse().ok()
    }

    /// True when there was one transaction, and no more, since the number was `before`.
    async fn is_next(&self, before: Option<i64>) -> bool {
        let after = self.transaction().await;
        before.zip(after).is_some_and(|(before, after)| after == before + 2)
    }

    /// A procedure or a block that ends transactions itself was refused, and it is not
    /// known to have been in its first one: it may have committed some of its work.
    fn in_parts(&self, number: usize, error: &Error) -> Box<Failure> {
        let Failure { sqlstate, detail, context, message, .. } =
            *failure::of_statement(self.job, number, error);
        let why = format!("it ends transactions itself, and failed: {message}");
        Box::new(Failure { sqlstate, detail, context, ..*self.unseen(number, &why) })
    }

    /// What an error in answer to the statement means. One that the server refused
    /// is known not to be done, so that a later try may run it again.
    async fn failed(&self, number: usize, recovery: &Recovery, error: &Error) -> Box<Failure> {
        if error.as_db_error().is_none() {
            let text = format!("the connection was lost: {}", reason(error));
            return self.unseen(number, &text);
        }
        self.forget(number).await;
        let mut failure = failure::of_statement(self.job, number, error);
        if *recovery == Recovery::Ask {
            failure.retry = Retry::Never;
        }
        // The next try will do it, and whoever cancels does not want to wait.
        let is_cancelled = failure.sqlstate.as_deref() == Some("57014");
        let leave = is_cancelled || failure.retry != Retry::Never;
        if let Some(left) = self.clear(number, recovery, leave).await {
            failure.hint = Some(left);
        }
        failure
    }

    /// Clears away at once, unless told to `leave` it, what a statement that failed
    /// has left: an INVALID index costs every write, and a unique one goes on
    /// refusing duplicates. Says what became of it.
    async fn clear(&self, number: usize, recovery: &Recovery, leave: bool) -> Option<String> {
        let found = self.look(number, recovery).await.ok()?;
        let Found::Invalid(indexes) = &found else { return self.unnamed(number).await };
        let names = indexes.join(", ");
        let mut dropped = !leave && self.fenced("SET lock_timeout='5s';").await.is_ok();
        for (drop, _) in found.drops().filter(|_| !leave) {
            dropped = dropped && self.send(&drop).await.is_ok();
        }
        Some(match dropped {
            true => format!("it left INVALID indexes, which were dropped: {names}"),
            false => format!("it left INVALID indexes, which the next try drops: {names}"),
        })
    }

    /// Advice about an index whose name the server has made up.
    async fn unnamed(&self, number: usize) -> Option<String> {
        let kind = self.job.migration.up.statements.get(number - 1)?.kind;
        if kind != StatementKind::NonTransactional("CREATE INDEX CONCURRENTLY") {
            return None;
        }
        // Parents made with ON ONLY (relkind I) are invalid until all parts are attached.
        let sql = "SELECT pg_catalog.string_agg(indexrelid::pg_catalog.regclass::text, ', ')
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            WHERE NOT i.indisvalid AND c.relkind = 'i'
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p
                    WHERE p.relid = i.indrelid)";
        let row = self.run.lock.client().query_one(sql, &[]).await.ok()?;
        let names: String = row.get::<_, Option<String>>(0)?;
        Some(format!(
            "there are INVALID indexes, left by this or an earlier failure: {names}; drop them with DROP INDEX CONCURRENTLY, and give indexes names, so that migraph can"
        ))
    }

    /// Says that a statement which was begun is not done. If that fails, the next
    /// run takes it for interrupted, which is safe.
    async fn forget(&self, number: usize) {
        let sql = format!(
            "DELETE FROM {} WHERE migration_id OPERATOR(pg_catalog.=) {} AND statement OPERATOR(pg_catalog.=) {number} AND finished_at IS NULL",
            self.statements(),
            self.id(),
        );
        let _ = self.run.lock.client().batch_execute(&sql).await;
    }

    /// The statement is known not to be done.
    fn halted(&self, number: usize, text: String) -> Box<Failure> {
        Box::new(self.at(number, Failure::new(FailureKind::Halted, text)))
    }

    /// Nobody has seen whether the statement is done.
    fn unseen(&self, number: usize, why: &str) -> Box<Failure> {
        let text = format!("statement {number} may have done its work or not: {why}");
        let failure = Failure::new(FailureKind::Interrupted, text);
        Box::new(self.at(number, failure.hint("the next `migraph up` looks, or says what to do")))
    }

    fn statements(&self) -> String {
        self.run.context.ledger.statements()
    }

    fn id(&self) -> String {
        escape_literal(self.job.migration.id.as_str())
    }

    fn at(&self, number: usize, failure: Failure) -> Failure {
        let statements = &self.job.migration.up.statements;
        let span = statements.get(number - 1).map(|statement| statement.span);
        let span = span.map(|span| self.job.migration.source.first_line(span));
        Failure { statement: Some(number), span, ..failure }
    }
}

/// True for what fails when there is something of that name.
fn makes_anew(recovery: &Recovery) -> bool {
    match recovery {
        Recovery::CreateIndex { if_not_exists, .. } => !if_not_exists,
        Recovery::CreateShared(_) => true,
        _ => false,
    }
}
