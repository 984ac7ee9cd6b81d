//! Putting the record of a migration right that was left half done.

use std::fmt::Write as _;

use nix::unistd::gethostname;
use postgres_protocol::escape::escape_literal;

use super::ledger::{Ledger, LedgerError};
use super::lock::RunLock;
use super::message::{RunContext, Timeouts};
use crate::engine::{Job, Progress};
use crate::model::Migration;
use crate::parse::statement_checksum;

/// What is true of a migration that runs step by step, by somebody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing from the step with this number on is done: it is run again.
    RetryFrom(usize),
    /// All steps before the one with this number are done, as the file has them
    /// now, and none from there on.
    ResumeAt(usize),
    /// What the steps before the one with this number left in their session is not
    /// needed behind them.
    WithoutSession(usize),
    /// All of it is done.
    MarkApplied,
}

impl Ledger {
    /// Records `repair` of `migration` in the run `batch`, with the reason for it,
    /// all or nothing.
    pub async fn repair(
        &self,
        lock: &RunLock,
        (migration, repair): (&Migration, Repair),
        (batch, reason): (&str, &str),
    ) -> Result<(), LedgerError> {
        let host = gethostname().unwrap_or_default().to_string_lossy().into_owned();
        let context = RunContext {
            ledger: self.clone(),
            batch: batch.to_owned(),
            work_key: lock.work_key(),
            run_key: lock.run_key(),
            host,
            timeouts: Timeouts::default(),
        };
        let sql = format!(
            "BEGIN;SET LOCAL synchronous_commit=on;{};{};COMMIT",
            context.correction(migration, repair),
            context.note(migration, reason),
        );
        let done = lock.client().batch_execute(&sql).await;
        if done.is_err() {
            // The failed statement left the transaction open.
            let _ = lock.client().batch_execute("ROLLBACK").await;
        }
        done.map_err(|error| self.error(&error))
    }
}

impl RunContext {
    fn correction(&self, migration: &Migration, repair: Repair) -> String {
        let statements = self.ledger.statements();
        let id = escape_literal(migration.id.as_str());
        match repair {
            Repair::RetryFrom(number) => format!(
                "DELETE FROM {statements} WHERE migration_id = {id} AND statement >= {number}"
            ),
            Repair::WithoutSession(_) => format!(
                "UPDATE {statements} AS s SET session = COALESCE(s.session, {}) || '{{\"left\": []}}' WHERE migration_id = {id}",
                last_known(&statements, &id, "s.statement"),
            ),
            Repair::ResumeAt(number) => self.steps_before(migration, number),
            Repair::MarkApplied => {
                let job = Job { migration, layer: 0, progress: Progress::default() };
                format!(
                    "UPDATE {statements} SET finished_at = started_at WHERE migration_id = {id} AND finished_at IS NULL;{}",
                    self.record_of_steps(job)
                )
            }
        }
    }

    /// The rows of the steps before `number`, and no others. Where nobody knows what a
    /// step has left in the session, it is taken for what the one before it left.
    fn steps_before(&self, migration: &Migration, end: usize) -> String {
        let statements = self.ledger.statements();
        let (id, batch) = (escape_literal(migration.id.as_str()), escape_literal(&self.batch));
        let done: Vec<_> =
            migration.up.recorded_steps().filter(|step| step.number() < end).collect();
        let numbers: Vec<_> = done.iter().map(|step| step.number().to_string()).collect();
        let mut sql = format!(
            "DELETE FROM {statements} WHERE migration_id = {id} AND statement <> ALL (ARRAY[{}]::pg_catalog.int4[])",
            numbers.join(",")
        );
        for step in done {
            let number = step.number();
            let checksum =
                statement_checksum(migration.source.slice(migration.up.span_of(step))).to_hex();
            // Writing to a string cannot fail.
            let _ = write!(
                sql,
                ";INSERT INTO {statements} AS s (migration_id, statement, checksum, batch_id, started_at, finished_at, session) \
                 VALUES ({id}, {number}, '{checksum}', {batch}, pg_catalog.clock_timestamp(), pg_catalog.clock_timestamp(), \
                 {}) \
                 ON CONFLICT (migration_id, statement) DO UPDATE SET checksum = excluded.checksum, \
                 finished_at = COALESCE(s.finished_at, s.started_at), session = COALESCE(s.session, excluded.session)",
                last_known(&statements, &id, &number.to_string()),
            );
        }
        sql
    }

    fn note(&self, migration: &Migration, reason: &str) -> String {
        format!(
            "INSERT INTO {} (batch_id, migration_id, outcome, message, backend_pid, host) \
             VALUES ({}, {}, 'repaired', {}, pg_catalog.pg_backend_pid(), {})",
            self.ledger.table("__migration_attempts__"),
            escape_literal(&self.batch),
            escape_literal(migration.id.as_str()),
            escape_literal(reason),
            escape_literal(&self.host),
        )
    }
}

/// The session behind the last step before `statement` of which it is known, as an SQL
/// expression. What the script has set since (`from` that step) has to be set again.
fn last_known(statements: &str, id: &str, statement: &str) -> String {
    format!(
        "COALESCE((SELECT p.session || pg_catalog.jsonb_build_object('from', COALESCE(p.session -> 'from', pg_catalog.to_jsonb(p.statement))) \
            FROM {statements} p WHERE p.migration_id = {id} AND p.statement < {statement} AND p.session IS NOT NULL \
            ORDER BY p.statement DESC LIMIT 1), '{{\"from\": 0, \"left\": []}}')"
    )
}
