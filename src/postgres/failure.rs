//! From the server's errors to failures that name a place in the file.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use super::error::reason;
use super::message::{Message, Place};
use crate::engine::{Failure, FailureKind, Job, Retry};
use crate::model::{Span, StatementKind};
use crate::syntax::copied_table;

/// The session was gone before anything was sent.
pub(super) fn not_sent(error: &Error) -> Box<Failure> {
    let message = format!("the session was lost before the migration was sent: {}", reason(error));
    Box::new(Failure::new(FailureKind::NotStarted, message).hint("run `migraph up` again"))
}

/// The session was lost while its transaction was open. COMMIT had not been sent,
/// so nothing of it can become permanent.
pub(super) fn lost(kind: FailureKind, error: Option<&Error>) -> Box<Failure> {
    let why = error.map_or_else(|| "no answer".to_owned(), reason);
    let message = format!(
        "the connection was lost ({why}) in the middle of the transaction, all of which is rolled back"
    );
    Box::new(Failure::new(kind, message).hint("run `migraph up` again"))
}

/// The server has stopped answering, and nobody has closed the session.
pub(super) fn silence(kind: FailureKind) -> Box<Failure> {
    let message = match kind {
        FailureKind::NotStarted => "the server has not answered for too long: nothing was sent",
        _ => {
            "the server has not answered for too long: it is not known what became of the migration, and the server may still be at work on it"
        }
    };
    let hint = "`migraph status` tells what is applied, once the server answers; the next `migraph up` waits for what is still at work";
    Box::new(Failure::new(kind, message).hint(hint))
}

/// An error with an SQLSTATE in answer to a message of a transaction, behind
/// `completed` statements.
pub(super) fn of_message(
    message: &Message,
    job: Job<'_>,
    (kind, error): (FailureKind, &Error),
    completed: usize,
) -> Box<Failure> {
    if let Some(failure) = guard(error) {
        return Box::new(failure);
    }
    let statements = &job.migration.up.statements[message.statements.clone()];
    let first_line = |span| Some(job.migration.source.first_line(span));
    let mut failure = server(kind, error);
    if let Some(at) = place_in_script(message, job, error) {
        failure.span = Some(word_at(job, at));
        let index = statements.iter().position(|statement| at < statement.span.end);
        failure.statement = index.map(|index| message.statements.start + index + 1);
        return Box::new(failure);
    }
    match message.place(completed) {
        // The server reads the whole message before it begins: the script is at fault.
        Place::Opening => failure.span = statements.first().and_then(|it| first_line(it.span)),
        Place::Statement(index) => {
            failure.span = first_line(job.migration.up.statements[index].span);
            failure.statement = Some(index + 1);
        }
        Place::Record => {
            failure.message =
                format!("it could not be recorded in the ledger: {}", failure.message);
        }
        Place::Commit => {
            let last = job.migration.up.statements[..message.statements.end].last();
            failure.span = last.and_then(|it| first_line(it.span));
            failure.context.get_or_insert_with(|| {
                "raised at COMMIT, behind the last statement: a deferred constraint or trigger"
                    .to_owned()
            });
        }
    }
    Box::new(failure)
}

/// Where in the file the server's position points, when that is in the script.
fn place_in_script(message: &Message, job: Job<'_>, error: &Error) -> Option<usize> {
    let char = error.as_db_error().and_then(position)?.checked_sub(1 + message.prefix_chars)?;
    (char < message.script_chars).then(|| job.migration.source.nth_char(message.start, char))?
}

/// An error with an SQLSTATE in answer to a COPY or to its data: at the line of
/// the data that the server names, or else in the statement.
pub(super) fn of_copy(
    job: Job<'_>,
    index: usize,
    (kind, error): (FailureKind, &Error),
) -> Box<Failure> {
    let mut failure = Failure { kind, ..*of_statement(job, index + 1, error) };
    let context = failure.context.as_deref().unwrap_or_default();
    if let Some(line) = copied_line(job, index, context) {
        failure.span = Some(line);
    }
    Box::new(failure)
}

/// The line of the data that `COPY table, line 3, column id: "x"` means. The words
/// are in the server's language, the order is not.
fn copied_line(job: Job<'_>, index: usize, context: &str) -> Option<Span> {
    let source = &job.migration.source;
    let statement = job.migration.up.statements.get(index)?;
    let StatementKind::CopyIn { data } = statement.kind else { return None };
    let table = copied_table(source.slice(statement.span))?;
    let place = context
        .lines()
        .find_map(|line| line.strip_prefix("COPY ")?.strip_prefix(&table)?.strip_prefix(','))?;
    let digits = place.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = digits.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()?;
    let lines = source.slice(data).split_inclusive('\n');
    let start = data.start + lines.take(number.checked_sub(1)?).map(str::len).sum::<usize>();
    (start < data.end).then(|| source.first_line(Span::new(start, data.end)))
}

/// An error with an SQLSTATE in answer to one statement sent on its own.
pub(super) fn of_statement(job: Job<'_>, number: usize, error: &Error) -> Box<Failure> {
    let mut failure = server(FailureKind::Halted, error);
    failure.statement = Some(number);
    let Some(statement) = job.migration.up.statements.get(number - 1) else {
        return Box::new(failure);
    };
    let at = error.as_db_error().and_then(position).and_then(|position| {
        job.migration.source.nth_char(statement.span.start, position.checked_sub(1)?)
    });
    failure.span = Some(match at {
        Some(at) if at < statement.span.end => word_at(job, at),
        _ => job.migration.source.first_line(statement.span),
    });
    Box::new(failure)
}

/// The server's error without a place.
pub(super) fn server(kind: FailureKind, error: &Error) -> Failure {
    let failure = Failure::new(kind, reason(error));
    let Some(server) = error.as_db_error() else { return failure };
    let retry = match kind {
        FailureKind::RolledBack | FailureKind::Halted => retry(server),
        _ => Retry::Never,
    };
    Failure {
        retry,
        sqlstate: Some(server.code().code().to_owned()),
        detail: server.detail().map(str::to_owned),
        hint: server.hint().map(str::to_owned),
        context: server.where_().map(str::to_owned),
        ..failure
    }
}

/// The errors that another try may not have, and no others (`docs/design/running.md`).
fn retry(error: &DbError) -> Retry {
    let code = error.code();
    if *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Retry::Again;
    }
    if *code == SqlState::LOCK_NOT_AVAILABLE {
        return Retry::Locked;
    }
    // "You might need to increase max_locks_per_transaction": all sessions share
    // one table.
    if *code == SqlState::OUT_OF_MEMORY || *code == SqlState::INSUFFICIENT_RESOURCES {
        return if error.message().contains("shared memory") { Retry::Alone } else { Retry::Never };
    }
    // Two sessions changed one row of the catalogue: GRANT, OR REPLACE, ALTER ROLE …
    let updated =
        *code == SqlState::INTERNAL_ERROR && error.message().starts_with("tuple concurrently");
    // IF NOT EXISTS and its like are not safe against each other.
    let created = *code == SqlState::UNIQUE_VIOLATION && error.schema() == Some("pg_catalog");
    if updated || created { Retry::Again } else { Retry::Never }
}

/// What our own guards in the message say.
pub(super) fn guard(error: &Error) -> Option<Failure> {
    let message = error.as_db_error()?.message();
    if message.contains("migraph:fence:run") {
        let text = "this run has lost its lock: its coordinator's session is gone";
        return Some(Failure::new(FailureKind::NotStarted, text).hint("run `migraph up` again"));
    }
    if message.contains("migraph:fence:work") {
        let text = "another run is taking over: it is waiting for this one to end";
        return Some(
            Failure::new(FailureKind::NotStarted, text).hint("let the other run do the work"),
        );
    }
    if message.contains("migraph:unrecorded") {
        let text = "the ledger did not keep the migration's row, so all of it is rolled back";
        let hint = "a trigger or a rule on the ledger's tables swallows rows: remove it";
        return Some(Failure::new(FailureKind::RolledBack, text).hint(hint));
    }
    if message.contains("migraph:ended") {
        let text = "the script is not in the transaction that migraph began for it: it ended that, or reset the session. What it committed itself is committed, everything else is rolled back, and the migration is not recorded";
        return Some(Failure::new(FailureKind::Unknown, text).hint(
            "something in it commits, runs RESET ALL or changes the setting `migraph.tx`, perhaps inside a function: look at the database, undo what was committed, and split the file",
        ));
    }
    None
}

/// The position counts characters from 1. One inside a function's own query
/// (`Internal`) is no place in the file.
fn position(error: &DbError) -> Option<usize> {
    match error.position()? {
        ErrorPosition::Original(position) => usize::try_from(*position).ok(),
        ErrorPosition::Internal { .. } => None,
    }
}

/// The word that begins at `at`, for the caret.
fn word_at(job: Job<'_>, at: usize) -> Span {
    let rest = job.migration.source.text().get(at..).unwrap_or_default();
    let in_word = |c: char| c.is_alphanumeric() || "_.\"$".contains(c);
    let length = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
    let length = if length == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { length };
    Span::new(at, at + length)
}
