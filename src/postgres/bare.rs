//! One statement outside of any transaction of ours: recorded as begun before it,
//! as finished after it, and looked for where nobody can be sure.

use super::by_step::ScriptRun;
use super::error::reason;
use super::failure;
use super::heal::{Before, Found, look};
use super::message::marked_behind;
use super::same_index::{Likeness, compare};
use crate::engine::{Failure, FailureKind, Note};
use crate::model::{Statement, StatementKind};
use crate::parse::statement_checksum;
use crate::syntax::{Recovery, WantedIndex, recovery_of};
use postgres_protocol::escape::escape_literal;
use tokio_postgres::Error;

/// What is to be done about a statement.
enum Next {
    /// It is done already.
    Finish,
    /// Send this. Before it was first begun, there was that.
    Send(String, Before),
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
            Next::Send(message, before) => {
                self.tell_of(number);
                let ends_itself = statement.kind == StatementKind::Undecided;
                let transaction = if ends_itself { self.transaction().await } else { None };
                let message = marked_behind(self.job, &message);
                if let Err(error) = self.heard(number, self.send(&message)).await {
                    let is_whole = !ends_itself || self.is_next(transaction).await;
                    return Err(match is_whole || error.as_db_error().is_none() {
                        true => self.failed(number, (&recovery, &before), &error).await,
                        false => self.in_parts(number, &error),
                    });
                }
                self.check(number, (&recovery, &before)).await?;
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
        let before = match begun {
            true => self.before.clone(),
            false => self.looked(number, Before::look(self.session.client(), recovery).await)?,
        };
        let found = self.look(number, (recovery, &before)).await?;
        if begun && found == Found::Done {
            self.make_sure(number, recovery).await?;
            (self.tell)(Note::Healed(&format!("statement {number} is done already")));
            return Ok(Next::Finish);
        }
        if let Some(failure) = self.in_the_way(number, (recovery, &found), begun).await {
            return Err(failure);
        }
        self.fenced(&self.started(number, sql, &before)).await?;
        for (drop, told) in found.drops() {
            if let Err(error) = self.send(&drop).await {
                return Err(self.failed(number, (recovery, &before), &error).await);
            }
            (self.tell)(Note::Healed(&told));
        }
        if let Found::Pending(end) = found {
            let told = format!("ending statement {number}, which was half done: {end}");
            (self.tell)(Note::Healed(&told));
            return Ok(Next::Send(end, before));
        }
        Ok(Next::Send(sql.to_owned(), before))
    }

    /// An index that has the right name may still be another: somebody else may have
    /// made it since.
    async fn make_sure(&self, number: usize, recovery: &Recovery) -> Result<(), Box<Failure>> {
        let Recovery::CreateIndex(wanted) = recovery else { return Ok(()) };
        match compare(self.session.client(), wanted).await {
            Likeness::Same => Ok(()),
            Likeness::Other(definition) => {
                let failure = self.another_index(number, wanted, &definition);
                Err(Box::new(Failure { progress: Some(self.job.progress), ..failure }))
            }
            Likeness::Untold(why) => {
                let text = format!(
                    "there is an index `{}`, but whether statement {number} made it cannot be told: {why}",
                    wanted.index
                );
                let hint = "look at it, and say with `migraph repair` what is done";
                let failure = Failure::new(FailureKind::Interrupted, text).hint(hint);
                Err(Box::new(self.at(number, failure)))
            }
        }
    }

    /// What makes it wrong to send the statement. Only what a try of ours was seen to
    /// begin is ours to drop.
    async fn in_the_way(
        &self,
        number: usize,
        (recovery, found): (&Recovery, &Found),
        begun: bool,
    ) -> Option<Box<Failure>> {
        match (found, recovery) {
            // Sent and interrupted, it would look as if we had made what is there.
            (Found::Done, _) if makes_anew(recovery) => {
                let text = format!("what statement {number} creates is there already");
                Some(self.halted(number, text))
            }
            (Found::Done, Recovery::CreateIndex(wanted)) => {
                let likeness = compare(self.session.client(), wanted).await;
                let Likeness::Other(definition) = likeness else { return None };
                Some(Box::new(self.another_index(number, wanted, &definition)))
            }
            (Found::Invalid(indexes), _) if !begun => {
                let index = indexes.join(", ");
                let text = format!(
                    "the index {index} is there already and INVALID, and no run of migraph is known to have begun it"
                );
                let hint = format!("`DROP INDEX CONCURRENTLY {index}` if nobody needs it");
                let failure = Failure::new(FailureKind::Halted, text).hint(hint);
                Some(Box::new(self.at(number, failure)))
            }
            (Found::Busy(pid), _) => {
                let text = format!("the backend with pid {pid} is building this index now");
                Some(self.halted(number, text))
            }
            _ => None,
        }
    }

    fn another_index(&self, number: usize, wanted: &WantedIndex, definition: &str) -> Failure {
        let WantedIndex { index, table, .. } = wanted;
        let text = format!("`{table}` has another index `{index}`: {definition}");
        let hint = "drop or rename it, or give the new one another name";
        self.at(number, Failure::new(FailureKind::Halted, text).hint(hint))
    }

    pub(super) async fn look(
        &self,
        number: usize,
        what: (&Recovery, &Before),
    ) -> Result<Found, Box<Failure>> {
        self.looked(number, look(self.session.client(), what).await)
    }

    fn looked<T>(&self, number: usize, found: Result<T, Error>) -> Result<T, Box<Failure>> {
        found.map_err(|error| {
            let failure = failure::server(FailureKind::Halted, &error);
            let message = format!("could not look what there is already: {}", failure.message);
            Box::new(self.at(number, Failure { message, ..failure }))
        })
    }

    /// The server said that it is done. `IF NOT EXISTS` says so of anything that has
    /// the name, an INVALID index included.
    async fn check(
        &self,
        number: usize,
        (recovery, before): (&Recovery, &Before),
    ) -> Result<(), Box<Failure>> {
        let found = self.look(number, (recovery, before)).await;
        let found = found.map_err(|failure| self.unseen(number, &failure.message))?;
        let text = match (&found, recovery) {
            (Found::Done, _)
            | (_, Recovery::Ask | Recovery::Repeat)
            | (Found::Nothing, Recovery::Reindex(_)) => return Ok(()),
            (Found::Invalid(indexes), _) => {
                format!("there are INVALID indexes behind it: {}", indexes.join(", "))
            }
            (Found::Nothing, Recovery::CreateIndex(wanted)) if wanted.if_not_exists => format!(
                "`{}` has no index `{}`: IF NOT EXISTS was content with another relation of that name",
                wanted.table, wanted.index
            ),
            _ => "the server said that it is done, but it is not to be seen".to_owned(),
        };
        self.forget(number).await;
        Err(self.halted(number, text))
    }

    fn started(&self, number: usize, sql: &str, before: &Before) -> String {
        let context = &self.run.context;
        let (batch, checksum) = (escape_literal(&context.batch), statement_checksum(sql).to_hex());
        format!(
            "INSERT INTO {} AS s (migration_id,statement,checksum,batch_id,started_at,session,found) \
             VALUES ({},{number},'{checksum}',{batch},pg_catalog.clock_timestamp(),pg_catalog.current_setting('migraph.session')::pg_catalog.jsonb,{}) \
             ON CONFLICT (migration_id,statement) DO UPDATE SET batch_id=excluded.batch_id, started_at=excluded.started_at WHERE s.finished_at IS NULL;",
            self.statements(),
            self.id(),
            escape_literal(&before.to_json()),
        )
    }

    /// Records that a statement is done. A cancel meant for the statement may
    /// hit this instead, or the session may just have been lost: the statement is
    /// done all the same, and the coordinator's session can still say so.
    async fn finish(&self, number: usize, at: &str) -> Result<(), Box<Failure>> {
        let finished = format!("finished_at={at}");
        let Err(error) = self.send(&self.note(number, &[&finished], "")).await else {
            return Ok(());
        };
        let kind = self.job.migration.up.statements.get(number - 1).map(|it| it.kind);
        // What cannot have changed the session has left it as its row has it.
        let session = match kind {
            Some(StatementKind::NonTransactional(_)) => "session",
            _ => "NULL",
        };
        let without_session = format!(
            "BEGIN;SET LOCAL synchronous_commit=on;UPDATE {} SET {finished},session={session} WHERE migration_id = {} AND statement = {number};COMMIT",
            self.statements(),
            self.id(),
        );
        if self.run.lock.client().batch_execute(&without_session).await.is_err() {
            return Err(self.unseen(number, &reason(&error)));
        }
        Err(Box::new(self.lost_behind(number, Some(&error))))
    }

    /// The statement is known not to be done.
    fn halted(&self, number: usize, text: String) -> Box<Failure> {
        Box::new(self.at(number, Failure::new(FailureKind::Halted, text)))
    }

    /// Nobody has seen whether the statement is done.
    pub(super) fn unseen(&self, number: usize, why: &str) -> Box<Failure> {
        let text = format!("statement {number} may have done its work or not: {why}");
        let failure = Failure::new(FailureKind::Interrupted, text);
        Box::new(self.at(number, failure.hint("the next `migraph up` looks, or says what to do")))
    }

    pub(super) fn statements(&self) -> String {
        self.run.context.ledger.statements()
    }

    pub(super) fn id(&self) -> String {
        escape_literal(self.job.migration.id.as_str())
    }

    pub(super) fn at(&self, number: usize, failure: Failure) -> Failure {
        let statements = &self.job.migration.up.statements;
        let span = statements.get(number - 1).map(|statement| statement.span);
        let span = span.map(|span| self.job.migration.source.first_line(span));
        Failure { statement: Some(number), span, ..failure }
    }
}

/// True for what fails when there is something of that name.
fn makes_anew(recovery: &Recovery) -> bool {
    match recovery {
        Recovery::CreateIndex(wanted) => !wanted.if_not_exists,
        Recovery::CreateShared(_) => true,
        _ => false,
    }
}
