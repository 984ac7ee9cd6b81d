//! Applying a migration in one transaction and one message.

use futures_util::{StreamExt, pin_mut};
use jiff::Timestamp;
use tokio_postgres::{Error, SimpleQueryMessage, SimpleQueryRow, SimpleQueryStream};

use super::engine::Run;
use super::failure;
use super::message::RECEIPT_COLUMN;
use super::resolve::resolve;
use super::session::Session;
use crate::engine::{Failure, FailureKind, Job, Outcome, Receipt};

/// Applies `job`, or nothing of it.
pub(super) async fn apply(run: &Run<'_>, session: &mut Session, job: Job<'_>) -> Outcome {
    let message = run.context.transactional(job);
    let answer = match session.client().simple_query_raw(&message.sql).await {
        Ok(answer) => answer,
        // Nothing was sent: the session had been closed before.
        Err(error) => return Err(failure::not_sent(&error)),
    };
    let cleaning = session.clean().await;
    let tally = Tally::of(answer).await;
    match (tally.committed(), tally.error) {
        (Some(receipt), None) if cleaning.is_ok() => Ok(receipt),
        (Some(receipt), _) => {
            // Applied, whatever came behind.
            session.spoil();
            Ok(receipt)
        }
        (None, Some(error)) if error.as_db_error().is_some() => {
            Err(failure::of_message(&message, job, &error, tally.completed))
        }
        (None, Some(error)) => resolve(run, session.pid(), job, &error).await,
        // The record fails rather than give no receipt.
        (None, None) => Err(Box::new(Failure::new(
            FailureKind::Unknown,
            "the server gave no receipt: `migraph status` tells whether it is applied",
        ))),
    }
}

/// What the server said of a message.
struct Tally {
    /// How many statements are complete.
    completed: usize,
    receipt: Option<Receipt>,
    /// How many of these came behind the receipt: the record's own, `COMMIT`'s.
    behind_receipt: usize,
    error: Option<Error>,
}

impl Tally {
    async fn of(answer: SimpleQueryStream) -> Self {
        let mut tally = Self { completed: 0, receipt: None, behind_receipt: 0, error: None };
        pin_mut!(answer);
        while let Some(message) = answer.next().await {
            match message {
                Ok(SimpleQueryMessage::CommandComplete(_)) => {
                    tally.completed += 1;
                    tally.behind_receipt += usize::from(tally.receipt.is_some());
                }
                Ok(SimpleQueryMessage::Row(row)) => tally.receipt = receipt(&row).or(tally.receipt),
                Ok(_) => {}
                Err(error) => {
                    tally.error = Some(error);
                    break;
                }
            }
        }
        tally
    }

    /// The receipt, when `COMMIT` is complete too.
    fn committed(&self) -> Option<Receipt> {
        self.receipt.filter(|_| self.behind_receipt >= 2)
    }
}

/// The receipt in a row of ours; `None` for any other row.
pub(super) fn receipt(row: &SimpleQueryRow) -> Option<Receipt> {
    if row.columns().first()?.name() != RECEIPT_COLUMN {
        return None;
    }
    let applied_at = Timestamp::from_microsecond(row.get(0)?.parse().ok()?).ok()?;
    Some(Receipt { applied_at, execution_time_ms: row.get(1)?.parse().ok()? })
}
