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

/// Whoever says where a script goes on has seen to what it needs there.
const NOTHING_LEFT: &str = r#"'{"left": []}'::pg_catalog.jsonb"#;

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
            Repair::WithoutSession(number) => format!(
                "UPDATE {statements} SET session = COALESCE(session, '{{}}') || {NOTHING_LEFT} WHERE migration_id = {id} AND statement < {number}"
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

    /// The rows of the steps before `number`, and no others.
    fn steps_before(&self, migration: &Migration, number: usize) -> String {
        let statements = self.ledger.statements();
        let (id, batch) = (escape_literal(migration.id.as_str()), escape_literal(&self.batch));
        let done: Vec<_> =
            migration.up.recorded_steps().filter(|step| step.number() < number).collect();
        let numbers: Vec<_> = done.iter().map(|step| step.number().to_string()).collect();
        let mut sql = format!(
            "DELETE FROM {statements} WHERE migration_id = {id} AND statement <> ALL (ARRAY[{}]::pg_catalog.int4[])",
            numbers.join(",")
        );
        for step in done {
            let checksum =
                statement_checksum(migration.source.slice(migration.up.span_of(step))).to_hex();
            // Writing to a string cannot fail.
            let _ = write!(
                sql,
                ";INSERT INTO {statements} AS s (migration_id, statement, checksum, batch_id, started_at, finished_at, session) \
                 VALUES ({id}, {}, '{checksum}', {batch}, pg_catalog.clock_timestamp(), pg_catalog.clock_timestamp(), {NOTHING_LEFT}) \
                 ON CONFLICT (migration_id, statement) DO UPDATE SET checksum = excluded.checksum, \
                 finished_at = COALESCE(s.finished_at, s.started_at), session = COALESCE(s.session, '{{}}') || {NOTHING_LEFT}",
                step.number(),
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
