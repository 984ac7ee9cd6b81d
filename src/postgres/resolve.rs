//! What became of a migration whose answer was lost.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Error};

use super::engine::Run;
use super::error::reason;
use crate::engine::{Failure, FailureKind, Job, Outcome, Receipt};

/// How long to wait for a lost backend to end, and for a server to come back.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

/// Asks the ledger, on a new session, once the lost backend `pid` is gone.
///
/// Only an SQLSTATE that came before the end of COMMIT proves a rollback. After
/// anything else the transaction may be committed, or the backend may still be
/// working.
pub(super) async fn resolve(run: &Run<'_>, pid: i32, job: Job<'_>, error: &Error) -> Outcome {
    let lost = reason(error);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look(run, pid, job).await {
            Ok(Some(Found::Applied(receipt))) => return Ok(receipt),
            Ok(Some(Found::Absent)) => return Err(Box::new(rolled_back(&lost))),
            Ok(None) | Err(_) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
            Ok(None) => return Err(Box::new(unknown(&lost, "its backend is still working"))),
            Err(why) => return Err(Box::new(unknown(&lost, &why))),
        }
    }
}

enum Found {
    Applied(Receipt),
    Absent,
}

/// `None` while the backend is still there.
async fn look(run: &Run<'_>, pid: i32, job: Job<'_>) -> Result<Option<Found>, String> {
    let session = run.session().await.map_err(|error| error.to_string())?;
    let client = session.client();
    let context = &run.context;
    let id = job.migration.id.as_str();
    let found = async {
        if is_alive(client, pid).await? {
            return Ok(None);
        }
        let receipt = context.ledger.receipt(client, id, &context.batch).await?;
        Ok(Some(receipt.map_or(Found::Absent, Found::Applied)))
    };
    found.await.map_err(|error: Error| reason(&error))
}

async fn is_alive(client: &Client, pid: i32) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND pid <> pg_backend_pid())";
    Ok(client.query_one(sql, &[&pid]).await?.get(0))
}

fn rolled_back(lost: &str) -> Failure {
    let message = format!(
        "the connection was lost ({lost}); the ledger shows that nothing of it was applied"
    );
    Failure::new(FailureKind::RolledBack, message).hint("run `migraph up` again")
}

fn unknown(lost: &str, why: &str) -> Failure {
    let message = format!(
        "the connection was lost ({lost}), and it is not known whether the migration is applied: {why}"
    );
    Failure::new(FailureKind::Unknown, message).hint(
        "it is applied and recorded, or neither: `migraph status` tells, once the server answers",
    )
}
