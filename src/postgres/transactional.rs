//! Statements in one transaction, together with the record of them.

use std::cell::Cell;
use std::io::Cursor;

use futures_util::{SinkExt, StreamExt, pin_mut};
use jiff::{SignedDuration, Timestamp, Unit};
use tokio_postgres::error::DbError;
use tokio_postgres::{Error, SimpleQueryMessage, SimpleQueryRow, SimpleQueryStream};

use super::engine::Run;
use super::failure;
use super::message::{Frame, Message, Place, RECEIPT_COLUMN, RECORD_STATEMENTS, SEGMENT_COLUMN};
use super::notices;
use super::resolve::{FOUND, resolve};
use super::session::Session;
use crate::engine::{Failure, FailureKind, Job, Note, Outcome, Receipt};
use crate::model::{Block, Part, Span};

/// How much of a COPY's data is copied out of the file's text at once.
const CHUNK: usize = 64 << 10;

/// Applies `job` in one transaction, or nothing of it.
pub(super) async fn apply(
    run: &Run<'_>,
    session: &mut Session,
    (job, modes): (Job<'_>, &str),
    tell: &dyn Fn(Note<'_>),
) -> Outcome {
    let exchange = Exchange {
        job,
        block: &job.migration.up.in_one_block(modes),
        frame: &run.context.frame(job, modes),
        is_last: true,
        refused: FailureKind::RolledBack,
        at: Cell::new(Place::Opening),
        is_same: Cell::default(),
    };
    let error = match exchange.run(session, tell).await? {
        Ended::Committed(Some(receipt)) => return Ok(receipt),
        Ended::Committed(None) => None,
        Ended::Unclear(error) => error,
    };
    let outcome = resolve(run, session.pid(), job, error.as_ref()).await;
    if outcome.is_ok() {
        tell(Note::Healed(FOUND));
    }
    outcome
}

/// One transaction: a message, or several with a COPY between each two.
pub(super) struct Exchange<'a> {
    pub(super) job: Job<'a>,
    pub(super) block: &'a Block,
    pub(super) frame: &'a Frame,
    /// True when the session is cleaned behind it.
    pub(super) is_last: bool,
    /// What it is when the server refuses something in it.
    pub(super) refused: FailureKind,
    /// What the server is at, as far as its answers tell.
    pub(super) at: Cell<Place>,
    /// True once the record of a segment holds the session.
    pub(super) is_same: Cell<bool>,
}

/// How a transaction ended that no server refused.
pub(super) enum Ended {
    /// It is committed; with a receipt when the migration was recorded in it.
    Committed(Option<Receipt>),
    /// `COMMIT` was sent and its answer never came.
    Unclear(Option<Error>),
}

impl Exchange<'_> {
    /// Sends it, and passes on what the server says of the script meanwhile.
    pub(super) async fn run(
        &self,
        session: &mut Session,
        tell: &dyn Fn(Note<'_>),
    ) -> Result<Ended, Box<Failure>> {
        let hear = |said: &DbError| match self.at.get() {
            Place::Statement(index) => notices::pass_on(tell, Some(index + 1), said),
            Place::Commit => notices::pass_on(tell, None, said),
            Place::Opening | Place::Record => {}
        };
        session.ear().listen(self.send_parts(session), hear).await
    }

    /// Up to the last message nothing can have become permanent.
    async fn send_parts(&self, session: &mut Session) -> Result<Ended, Box<Failure>> {
        let migration = self.job.migration;
        let parts = migration.up.parts(&migration.source, self.block);
        let last = parts.len() - 1;
        for (at, part) in parts.into_iter().enumerate() {
            match part {
                Part::Copy { statement, data } => self.copy(session, statement, data).await?,
                Part::Sql { span, statements } => {
                    if statements.is_empty() && at != 0 && at != last {
                        continue;
                    }
                    let text = migration.up.text(&migration.source, span);
                    let ends = (at == 0, at == last);
                    let message = self.frame.message(&text, (span, statements), ends);
                    if at == last {
                        return self.close(session, &message).await;
                    }
                    self.open(session, &message).await?;
                }
            }
        }
        Ok(Ended::Unclear(None))
    }

    /// Sends a message behind which the transaction stays open.
    async fn open(&self, session: &Session, message: &Message) -> Result<(), Box<Failure>> {
        let answer = self.send(session, message).await?;
        let tally = self.tally(message, answer).await;
        match tally.error {
            None => Ok(()),
            Some(error) if error.as_db_error().is_some() => {
                let refusal = (self.refused, &error);
                Err(failure::of_message(message, self.job, refusal, tally.completed))
            }
            Some(error) => Err(failure::lost(self.refused, Some(&error))),
        }
    }

    /// Sends the message that ends in `COMMIT`.
    async fn close(&self, session: &mut Session, message: &Message) -> Result<Ended, Box<Failure>> {
        let answer = self.send(session, message).await?;
        let cleaning = if self.is_last { session.clean().await } else { Ok(()) };
        let tally = self.tally(message, answer).await;
        if tally.is_committed() {
            self.is_same.set(tally.is_same);
            if cleaning.is_err() || tally.error.is_some() {
                // Applied, whatever came behind.
                session.spoil();
            }
            return Ok(Ended::Committed(tally.receipt));
        }
        match tally.error {
            Some(error) if error.as_db_error().is_some() => {
                let refusal = (self.refused, &error);
                Err(failure::of_message(message, self.job, refusal, tally.completed))
            }
            error => Ok(Ended::Unclear(error)),
        }
    }

    /// Fails only when the session had been closed before, so that nothing was sent.
    async fn send(
        &self,
        session: &Session,
        message: &Message,
    ) -> Result<SimpleQueryStream, Box<Failure>> {
        let answer = session.client().simple_query_raw(&message.sql).await;
        answer.map_err(|error| match (self.refused, message.prefix_statements) {
            (FailureKind::RolledBack, 1..) => failure::not_sent(&error),
            _ => failure::lost(self.refused, Some(&error)),
        })
    }

    async fn tally(&self, message: &Message, answer: SimpleQueryStream) -> Tally {
        self.at.set(message.place(0));
        Tally::of(answer, |completed| self.at.set(message.place(completed))).await
    }

    /// Streams `data` out of the file's text.
    ///
    /// When the server refuses them, tokio-postgres says so at the end of the data,
    /// and its connection may be of no use behind that: the caller replaces it.
    async fn copy(
        &self,
        session: &Session,
        statement: usize,
        data: Span,
    ) -> Result<(), Box<Failure>> {
        self.at.set(Place::Statement(statement));
        let migration = self.job.migration;
        let sql = migration.source.slice(migration.up.statements[statement].span);
        let data = migration.source.slice(data).as_bytes();
        let copied = async {
            let sink = session.client().copy_in::<str, Cursor<Vec<u8>>>(sql).await?;
            pin_mut!(sink);
            for chunk in data.chunks(CHUNK) {
                sink.feed(Cursor::new(chunk.to_vec())).await?;
            }
            sink.finish().await
        };
        match copied.await {
            Ok(_) => Ok(()),
            Err(error) if error.as_db_error().is_some() => {
                Err(failure::of_copy(self.job, statement, (self.refused, &error)))
            }
            Err(error) => Err(failure::lost(self.refused, Some(&error))),
        }
    }
}

/// What the server said of a message.
struct Tally {
    /// How many statements are complete.
    completed: usize,
    receipt: Option<Receipt>,
    /// How many of these came behind the last row of ours, its own statement
    /// included; `None` before there was one.
    behind_record: Option<usize>,
    /// A segment's record holds the session.
    is_same: bool,
    error: Option<Error>,
}

impl Tally {
    /// Calls `completed` with the number of complete statements after each.
    async fn of(answer: SimpleQueryStream, completed: impl Fn(usize)) -> Self {
        let mut tally =
            Self { completed: 0, receipt: None, behind_record: None, is_same: false, error: None };
        pin_mut!(answer);
        while let Some(message) = answer.next().await {
            match message {
                Ok(SimpleQueryMessage::CommandComplete(_)) => {
                    tally.completed += 1;
                    completed(tally.completed);
                    tally.behind_record = tally.behind_record.map(|behind| behind + 1);
                }
                Ok(SimpleQueryMessage::Row(row)) => tally.row(&row),
                Ok(_) => {}
                Err(error) => {
                    tally.error = Some(error);
                    break;
                }
            }
        }
        tally
    }

    fn row(&mut self, row: &SimpleQueryRow) {
        let receipt = receipt(row);
        let segment = row.columns().first().is_some_and(|it| it.name() == SEGMENT_COLUMN);
        if segment {
            self.is_same = row.get(1) == Some("t");
        }
        if receipt.is_some() || segment {
            self.receipt = receipt;
            self.behind_record = Some(0);
        }
    }

    /// True when `COMMIT` is complete too.
    fn is_committed(&self) -> bool {
        let before_commit = if self.receipt.is_some() { RECORD_STATEMENTS } else { 1 };
        self.behind_record.is_some_and(|behind| behind > before_commit)
    }
}

/// The receipt in a row of ours; `None` for any other row.
pub(super) fn receipt(row: &SimpleQueryRow) -> Option<Receipt> {
    if row.columns().first()?.name() != RECEIPT_COLUMN {
        return None;
    }
    Some(Receipt {
        applied_at: instant(row.get(0)?)?,
        execution_time_ms: row.get(1)?.parse().ok()?,
    })
}

/// From seconds since 1970. A double is exact to the microsecond for centuries.
fn instant(seconds: &str) -> Option<Timestamp> {
    let since = SignedDuration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    Timestamp::from_duration(since).ok()?.round(Unit::Microsecond).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_exact_to_the_microsecond() {
        for micros in [1_763_698_847_138_857_i64, 1_763_698_847_000_001, 4_102_444_799_999_999] {
            let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            assert_eq!(instant(&seconds), Timestamp::from_microsecond(micros).ok(), "{seconds}");
        }
        assert_eq!(instant("1763698847"), Timestamp::from_second(1_763_698_847).ok());
        assert_eq!(instant("never"), None);
    }
}
