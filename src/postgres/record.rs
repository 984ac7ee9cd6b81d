//! Recording tries that failed.

use super::engine::Run;
use crate::engine::{Failure, FailureKind, Job};

/// Writes the attempt's row, through the coordinator's session: the worker's own
/// may be gone or hit by a late cancel. A failure to write it changes nothing
/// about the failure it is about, so it is not reported.
pub(super) async fn failed(run: &Run<'_>, pid: i32, job: Job<'_>, failure: &Failure) {
    let outcome = match failure.kind {
        FailureKind::NotStarted => return,
        FailureKind::Interrupted | FailureKind::Unknown => "interrupted",
        FailureKind::RolledBack | FailureKind::Cancelled | FailureKind::Halted => {
            match failure.sqlstate.as_deref() {
                // query_canceled
                Some("57014") => "cancelled",
                _ => "failed",
            }
        }
    };
    let context = &run.context;
    let sql = format!(
        "INSERT INTO {} (batch_id, migration_id, outcome, sqlstate, message, statement, backend_pid, host)
            VALUES ($1::text::uuid, $2, $3, $4, $5, $6, $7, $8)",
        context.ledger.table("__migration_attempts__")
    );
    let statement = failure.statement.and_then(|number| i32::try_from(number).ok());
    let id = job.migration.id.as_str();
    let _ = run
        .lock
        .client()
        .execute(
            &sql,
            &[
                &context.batch,
                &id,
                &outcome,
                &failure.sqlstate,
                &failure.message,
                &statement,
                &pid,
                &context.host,
            ],
        )
        .await;
}
