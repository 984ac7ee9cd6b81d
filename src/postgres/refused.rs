//! What a refusal means of a statement outside of any transaction, and what it leaves.

use tokio_postgres::Error;

use super::by_step::ScriptRun;
use super::error::reason;
use super::failure;
use super::heal::{Before, Found};
use super::reach::first_row;
use crate::engine::{Failure, Progress, Retry};
use crate::model::StatementKind;
use crate::syntax::Recovery;

impl ScriptRun<'_, '_> {
    /// The number of the session's transaction; each takes the next one. `None` when
    /// the session is lost.
    pub(super) async fn transaction(&self) -> Option<i64> {
        let sql = "SELECT pg_catalog.split_part(virtualtransaction, '/', 2)
            FROM pg_catalog.pg_locks
            WHERE locktype = 'virtualxid' AND pid = pg_catalog.pg_backend_pid()";
        let row = first_row(self.session.client(), sql).await.ok()?;
        row.into_iter().next()??.parse().ok()
    }

    /// True when there was one transaction, and no more, since the number was `before`.
    pub(super) async fn is_next(&self, before: Option<i64>) -> bool {
        let after = self.transaction().await;
        before.zip(after).is_some_and(|(before, after)| after == before + 2)
    }

    /// A procedure or a block that ends transactions itself was refused, and it is not
    /// known to have been in its first one: it may have committed some of its work.
    pub(super) fn in_parts(&self, number: usize, error: &Error) -> Box<Failure> {
        let Failure { sqlstate, detail, context, message, .. } =
            *failure::of_statement(self.job, number, error);
        let why = format!("it ends transactions itself, and failed: {message}");
        Box::new(Failure { sqlstate, detail, context, ..*self.unseen(number, &why) })
    }

    /// What an error in answer to the statement means. One that the server refused
    /// is known not to be done, so that a later try may run it again.
    pub(super) async fn failed(
        &self,
        number: usize,
        (recovery, before): (&Recovery, &Before),
        error: &Error,
    ) -> Box<Failure> {
        if error.as_db_error().is_none() {
            let text = format!("the connection was lost: {}", reason(error));
            return self.unseen(number, &text);
        }
        let mut failure = failure::of_statement(self.job, number, error);
        if *recovery == Recovery::Ask {
            failure.retry = Retry::Never;
        }
        // The next try will do it, and whoever cancels does not want to wait.
        let is_cancelled = failure.sqlstate.as_deref() == Some("57014");
        let leave = is_cancelled || failure.retry != Retry::Never;
        let found = self.look(number, (recovery, before)).await;
        let hint = match &found {
            Ok(found @ Found::Invalid(indexes)) if !leave && self.clear(found).await => {
                let names = indexes.join(", ");
                self.forget(number).await;
                Some(format!("it left INVALID indexes, which were dropped: {names}"))
            }
            // Its row stays: it says that they are ours.
            Ok(Found::Invalid(indexes)) => {
                failure.progress = Some(Progress { completed: number - 1, begun: Some(number) });
                let names = indexes.join(", ");
                Some(format!("it left INVALID indexes, which the next try drops: {names}"))
            }
            Ok(_) => {
                self.forget(number).await;
                self.unnamed(number).await
            }
            Err(_) => {
                failure.progress = Some(Progress { completed: number - 1, begun: Some(number) });
                None
            }
        };
        failure.hint = hint.or(failure.hint);
        failure
    }

    /// Clears away at once what a statement that failed has left: an INVALID index
    /// costs every write, and a unique one goes on refusing duplicates. True when that
    /// was done.
    async fn clear(&self, found: &Found) -> bool {
        let mut dropped = self.fenced("SET lock_timeout='5s';").await.is_ok();
        for (drop, _) in found.drops() {
            dropped = dropped && self.send(&drop).await.is_ok();
        }
        dropped
    }

    /// Advice about an index whose name the server has made up.
    async fn unnamed(&self, number: usize) -> Option<String> {
        let kind = self.job.migration.up.statements.get(number - 1)?.kind;
        if kind != StatementKind::NonTransactional("CREATE INDEX CONCURRENTLY") {
            return None;
        }
        // Parents made with ON ONLY (relkind I) are invalid until all parts are attached.
        // Our own session may still be at the end of the statement.
        let sql = "SELECT pg_catalog.string_agg(indexrelid::pg_catalog.regclass::text, ', ')
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            WHERE NOT i.indisvalid AND c.relkind = 'i'
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p
                    WHERE p.relid = i.indrelid AND p.pid <> $1)";
        let row = self.run.lock.client().query_one(sql, &[&self.session.pid()]).await.ok()?;
        let names: String = row.get::<_, Option<String>>(0)?;
        Some(format!(
            "there are INVALID indexes, left by this or an earlier failure: {names}; drop them with DROP INDEX CONCURRENTLY, and give indexes names, so that migraph can"
        ))
    }

    /// Says that a statement which was begun is not done. If that fails, the next
    /// run takes it for interrupted, which is safe.
    pub(super) async fn forget(&self, number: usize) {
        let sql = format!(
            "DELETE FROM {} WHERE migration_id OPERATOR(pg_catalog.=) {} AND statement OPERATOR(pg_catalog.=) {number} AND finished_at IS NULL",
            self.statements(),
            self.id(),
        );
        let _ = self.run.lock.client().batch_execute(&sql).await;
    }
}
