//! What became of a migration whose answer was lost.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Error};

use super::engine::Run;
use super::error::reason;
use super::message::RunContext;
use crate::engine::{Failure, FailureKind, Job, Outcome, Receipt};

/// How long to wait for a lost backend to end, and for a server to come back.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

/// Told of a migration that was applied unseen.
pub(super) const FOUND: &str =
    "the answer to COMMIT was lost, and the ledger shows that it is applied";

/// What became of `job`, whose transaction was the whole of it.
pub(super) async fn resolve(
    run: &Run<'_>,
    pid: i32,
    job: Job<'_>,
    error: Option<&Error>,
) -> Outcome {
    let lost = Lost::of(error);
    match found(run, pid, (job, None)).await {
        Ok(Found::Applied(receipt)) => Ok(receipt),
        Ok(Found::Finished | Found::Absent) => Err(Box::new(lost.rolled_back())),
        Err(why) => Err(Box::new(lost.unknown(&why))),
    }
}

/// What became of the record of `job`, every step of which is done.
pub(super) async fn resolve_record(
    run: &Run<'_>,
    pid: i32,
    job: Job<'_>,
    error: &Error,
) -> Outcome {
    let lost = Lost::of(Some(error));
    match found(run, pid, (job, None)).await {
        Ok(Found::Applied(receipt)) => Ok(receipt),
        Ok(Found::Finished | Found::Absent) => Err(not_recorded(&lost.0)),
        Err(why) => Err(Box::new(lost.unknown(&why))),
    }
}

/// The steps of a script are done, and its migration is not recorded.
pub(super) fn not_recorded(why: &str) -> Box<Failure> {
    let message = format!("every step is done, but the migration could not be recorded: {why}");
    let hint = "run `migraph up` again: it records it without running a statement twice";
    Box::new(Failure::new(FailureKind::Halted, message).hint(hint))
}

/// What became of the segment of `job` that begins with statement `number`. With
/// the last one comes the receipt.
pub(super) async fn resolve_segment(
    run: &Run<'_>,
    pid: i32,
    (job, number): (Job<'_>, usize),
    error: Option<&Error>,
) -> Result<Option<Receipt>, Box<Failure>> {
    let lost = Lost::of(error);
    let failure = match found(run, pid, (job, Some(number))).await {
        Ok(Found::Applied(receipt)) => return Ok(Some(receipt)),
        Ok(Found::Finished) => lost.behind_segment(number),
        Ok(Found::Absent) => lost.segment_rolled_back(number),
        Err(why) => lost.unknown(&why),
    };
    Err(Box::new(Failure { statement: Some(number), ..failure }))
}

enum Found {
    Applied(Receipt),
    /// The segment that was asked for is recorded, the migration is not.
    Finished,
    Absent,
}

/// Asks the ledger, on a new session, once the lost backend `pid` is gone.
///
/// Only an SQLSTATE that came before the end of COMMIT proves a rollback. After
/// anything else the transaction may be committed, or the backend may still be
/// working.
async fn found(run: &Run<'_>, pid: i32, what: (Job<'_>, Option<usize>)) -> Result<Found, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look(run, pid, what).await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) | Err(_) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
            Ok(None) => return Err("its backend is still working".to_owned()),
            Err(why) => return Err(why),
        }
    }
}

/// `None` while the backend is still there.
async fn look(
    run: &Run<'_>,
    pid: i32,
    (job, number): (Job<'_>, Option<usize>),
) -> Result<Option<Found>, String> {
    let session = run.session().await.map_err(|error| error.to_string())?;
    let client = session.client();
    let RunContext { ledger, batch, .. } = &run.context;
    let id = job.migration.id.as_str();
    let found = async {
        if is_alive(client, pid).await? {
            return Ok(None);
        }
        if let Some(receipt) = ledger.receipt(client, id, batch).await? {
            return Ok(Some(Found::Applied(receipt)));
        }
        let finished = match number {
            Some(number) => ledger.is_finished(client, (id, number), batch).await?,
            None => false,
        };
        Ok(Some(if finished { Found::Finished } else { Found::Absent }))
    };
    found.await.map_err(|error: Error| reason(&error))
}

async fn is_alive(client: &Client, pid: i32) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND pid <> pg_backend_pid())";
    Ok(client.query_one(sql, &[&pid]).await?.get(0))
}

/// Why an answer was lost.
struct Lost(String);

impl Lost {
    fn of(error: Option<&Error>) -> Self {
        Self(error.map_or_else(|| "no answer".to_owned(), reason))
    }

    fn rolled_back(&self) -> Failure {
        let message = format!(
            "the connection was lost ({}); the ledger shows that nothing of it was applied",
            self.0
        );
        Failure::new(FailureKind::RolledBack, message).hint("run `migraph up` again")
    }

    fn segment_rolled_back(&self, number: usize) -> Failure {
        let message = format!(
            "the connection was lost ({}); the ledger shows that the transaction which begins with statement {number} is rolled back",
            self.0
        );
        Failure::new(FailureKind::Halted, message).hint("run `migraph up` again")
    }

    fn behind_segment(&self, number: usize) -> Failure {
        let message = format!(
            "the transaction which begins with statement {number} is done and recorded, but the connection was lost behind it: {}",
            self.0
        );
        Failure::new(FailureKind::Halted, message).hint("run `migraph up` again")
    }

    fn unknown(&self, why: &str) -> Failure {
        let message = format!(
            "the connection was lost ({}), and it is not known whether the migration is applied: {why}",
            self.0
        );
        Failure::new(FailureKind::Unknown, message).hint(
            "it is applied and recorded, or neither: `migraph status` tells, once the server answers",
        )
    }
}
