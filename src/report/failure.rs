//! A failed migration, with its place in the file.

use super::diagnostics::Message;
use crate::engine::{Failure, FailureKind};
use crate::model::{Migration, Place};

/// The failure as text.
pub(crate) fn render(migration: &Migration, failure: &Failure) -> String {
    if failure.kind == FailureKind::Cancelled {
        return format!("cancelled {}: all of it is rolled back", migration.id);
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
        ("the ledger has no record of this try", &failure.unrecorded),
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
