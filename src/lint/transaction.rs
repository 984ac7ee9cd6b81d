//! What goes together in one transaction, and what does not.

use super::in_file;
use super::made::Made;
use crate::model::{Code, Diagnostic, Diagnostics, Migration, Place, Statement, StatementKind};
use crate::sql::Reading;
use crate::sql::act::{Act, NewIndex};

/// What is found in `migration`, whose up script says `readings`.
pub(super) fn check(migration: &Migration, readings: &[Reading]) -> Diagnostics {
    if !migration.up.is_non_transactional() {
        return vec![];
    }
    let mut made = Made::default();
    let mut found = Vec::new();
    let mut needless = Vec::new();
    for reading in readings {
        for index in reading.acts.iter().filter_map(concurrent_index) {
            if made.has(&index.table) {
                needless.push(reading.span.shifted(migration.up.span.start).start);
                found.push(on_new_table(migration, reading, index));
            } else if index.if_not_exists {
                found.push(if_not_exists(migration, reading, index));
            }
        }
        made.by(reading);
    }
    // With a plain CREATE INDEX instead, the script may be one transaction again.
    let needs_no_transaction = |one: &&Statement| {
        matches!(one.kind, StatementKind::NonTransactional(_))
            && !needless.contains(&one.span.start)
    };
    let outside = migration.up.statements.iter().find(needs_no_transaction);
    found.extend(outside.and_then(|one| mixed(migration, one)));
    found
}

fn concurrent_index(act: &Act) -> Option<&NewIndex> {
    match act {
        Act::CreateIndex(index) if index.concurrently => Some(index),
        _ => None,
    }
}

fn on_new_table(migration: &Migration, reading: &Reading, index: &NewIndex) -> Diagnostic {
    let message = format!(
        "`{}` is new here: nobody is kept from it, and `CONCURRENTLY` costs the transaction",
        index.table.name.as_str()
    );
    Diagnostic::warning(Code::ConcurrentlyOnNewTable, message)
        .at(Place::new(&migration.source, in_file(migration, reading.span), ""))
        .help("write a plain `CREATE INDEX`: then the migration is one transaction")
}

fn if_not_exists(migration: &Migration, reading: &Reading, index: &NewIndex) -> Diagnostic {
    let what = index.name.as_ref().map_or(String::new(), |name| format!(" `{}`", name.as_str()));
    let message = format!(
        "`IF NOT EXISTS` is content with an INVALID index{what}, or with anything else of that name"
    );
    Diagnostic::warning(Code::ConcurrentlyIfNotExists, message)
        .at(Place::new(&migration.source, in_file(migration, reading.span), ""))
        .help("leave out `IF NOT EXISTS`: an index that an interrupted run has left INVALID is dropped and built again")
}

/// `outside` gives up the transaction for all the others.
fn mixed(migration: &Migration, outside: &Statement) -> Option<Diagnostic> {
    let StatementKind::NonTransactional(what) = outside.kind else { return None };
    let source = &migration.source;
    let counts = |one: &&Statement| match one.kind {
        StatementKind::Plain => !is_analyze(source.slice(one.span)),
        StatementKind::Undecided | StatementKind::CopyIn { .. } => true,
        StatementKind::Session | StatementKind::NonTransactional(_) => false,
    };
    let mut others = migration.up.statements.iter().filter(counts);
    let other = others.next()?;
    let more = match others.count() {
        0 => "another statement, which loses its transaction".to_owned(),
        more => format!("{} other statements, which lose their transaction", more + 1),
    };
    let message = format!("`{what}` stands beside {more} by it");
    let place = |one: &Statement, label| Place::new(source, source.first_line(one.span), label);
    Some(
        Diagnostic::warning(Code::MixedNontransactional, message)
            .at(place(outside, "cannot run in a transaction"))
            .also(place(other, "could"))
            .help("put it into a migration of its own that depends on the rest"),
    )
}

/// It changes nothing that would be missed.
fn is_analyze(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_alphanumeric()).next();
    word.is_some_and(|word| {
        word.eq_ignore_ascii_case("analyze") || word.eq_ignore_ascii_case("analyse")
    })
}
