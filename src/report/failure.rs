//! A failed migration, with its place in the file.

use super::diagnostics::Message;
use crate::engine::{Failure, FailureKind};
use crate::model::{Migration, Place};

/// What is left of a migration that was cancelled.
fn cancelled(migration: &Migration, failure: &Failure) -> String {
    let what = match failure.statement.filter(|_| migration.up.is_non_transactional()) {
        None => "all of it is rolled back".to_owned(),
        Some(1) => "statement 1 is not done".to_owned(),
        Some(number) => format!("statement {number} is not done, those before it are"),
    };
    let hint = failure.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("cancelled {}: {what}{hint}", migration.id)
}

/// The failure as text.
pub(crate) fn render(migration: &Migration, failure: &Failure) -> String {
    if failure.kind == FailureKind::Cancelled {
        return cancelled(migration, failure);
    }
    let title = format!("migration `{}` failed: {}", migration.id, failure.message);
    let label = match failure.statement {
        Some(number) => format!("statement {number} of {}", migration.up.statements.len()),
        None => String::new(),
    };
    let place = match failure.span {
        Some(span) => Place::new(&migration.source, span, label),
        None => Place::file(&migration.source),
    };
    let id = failure.sqlstate.as_deref().map(|code| format!("SQLSTATE {code}"));
    let facts = [
        ("detail", &failure.detail),
        ("context", &failure.context),
        ("the ledger may have no record of this try", &failure.unrecorded),
    ];
    let fact = |(name, text): (&str, &Option<String>)| Some(format!("{name}: {}", text.as_ref()?));
    Message {
        id: id.as_deref(),
        places: vec![&place],
        notes: facts.into_iter().filter_map(fact).collect(),
        help: failure.hint.iter().cloned().collect(),
        ..Message::error(&title)
    }
    .render()
}
