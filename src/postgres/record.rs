//! Recording tries that failed.

use std::time::Duration;

use tokio_postgres::{Client, Error};

use super::engine::Run;
use super::error::reason;
use crate::engine::{Failure, FailureKind, Job};

/// A network that swallows packets must not keep a run from ending.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes the attempt's row; an error says why there is none.
///
/// The worker's own session may be gone or hit by a late cancel, so it goes through
/// the coordinator's. When that is gone too, through a new one: a run that has lost
/// its lock still has to say how its migrations ended.
pub(super) async fn failed(
    run: &Run<'_>,
    pid: i32,
    job: Job<'_>,
    failure: &Failure,
) -> Result<(), String> {
    let Some(outcome) = outcome(failure) else { return Ok(()) };
    let row = Row { run, pid, job, failure, outcome };
    match tokio::time::timeout(PATIENCE, row.write()).await {
        Ok(written) => written,
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// `None` when nothing of it has reached the server.
fn outcome(failure: &Failure) -> Option<&'static str> {
    match failure.kind {
        FailureKind::NotStarted => None,
        FailureKind::Interrupted | FailureKind::Unknown => Some("interrupted"),
        FailureKind::RolledBack | FailureKind::Cancelled | FailureKind::Halted => {
            match failure.sqlstate.as_deref() {
                // query_canceled
                Some("57014") => Some("cancelled"),
                _ => Some("failed"),
            }
        }
    }
}

struct Row<'a, 'l> {
    run: &'a Run<'l>,
    pid: i32,
    job: Job<'a>,
    failure: &'a Failure,
    outcome: &'static str,
}

impl Row<'_, '_> {
    async fn write(&self) -> Result<(), String> {
        if self.write_through(self.run.lock.client()).await.is_ok() {
            return Ok(());
        }
        let session = self.run.session().await.map_err(|error| error.to_string())?;
        let written = self.write_synchronously(session.client()).await;
        session.discard();
        written.map_err(|error| reason(&error))
    }

    /// A worker's session of a fast run would not wait for the disk.
    async fn write_synchronously(&self, client: &Client) -> Result<(), Error> {
        client.batch_execute("SET synchronous_commit=on").await?;
        self.write_through(client).await
    }

    /// Does nothing when the row is there: the answer to an earlier try may have
    /// been lost. A backend sees at most one failure of ours.
    async fn write_through(&self, client: &Client) -> Result<(), Error> {
        let context = &self.run.context;
        let table = context.ledger.table("__migration_attempts__");
        let sql = format!(
            "INSERT INTO {table} (batch_id, migration_id, outcome, sqlstate, message, statement, backend_pid, host)
                SELECT $1::text::uuid, $2, $3, $4, $5, $6::int4, $7::int4, $8 WHERE NOT EXISTS (
                    SELECT FROM {table} WHERE batch_id = $1::text::uuid AND migration_id = $2
                        AND outcome <> 'applied' AND backend_pid = $7)"
        );
        let Self { pid, job, failure, outcome, .. } = self;
        let statement = failure.statement.and_then(|number| i32::try_from(number).ok());
        let id = job.migration.id.as_str();
        client
            .execute(
                &sql,
                &[
                    &context.batch,
                    &id,
                    outcome,
                    &failure.sqlstate,
                    &failure.message,
                    &statement,
                    pid,
                    &context.host,
                ],
            )
            .await
            .map(drop)
    }
}
