//! Findings about single statements: how they go together in one migration, and
//! what they do to an application that runs meanwhile.
//!
//! The second kind is off unless [`Rules`] say otherwise, and then costs another
//! look of the parser at each script. Whatever is found, here and elsewhere, a
//! comment in the file may silence: [`Ignores`].

mod additive;
mod blocking;
mod comment;
mod ignore;
mod made;
mod repeatable;
mod safety;
mod transaction;

use std::time::Duration;

pub use ignore::Ignores;

use crate::graph::MigrationGraph;
use crate::model::{Code, Diagnostics, Migration, Rules, Span};
use crate::parse::Readings;
use crate::syntax;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintOptions {
    /// The level of each rule.
    pub rules: Rules,
    /// How long `up` waits for each lock, where no header says otherwise; zero and
    /// nothing are for ever.
    pub lock_timeout: Option<Duration>,
    /// How long `up` lets each statement run; likewise.
    pub statement_timeout: Option<Duration>,
}

/// What is found in each migration of `graph`, in no particular order; `readings`
/// hold what their scripts say.
pub fn lint(graph: &MigrationGraph, readings: &Readings, options: &LintOptions) -> Diagnostics {
    let none = Vec::new();
    let all = || {
        graph.nodes().map(|node| {
            let migration = graph.migration(node);
            (migration, readings.get(&migration.id).unwrap_or(&none).as_slice())
        })
    };
    let mut found: Diagnostics =
        all().flat_map(|(migration, says)| transaction::check(migration, says)).collect();
    let asked = safety::asked(&options.rules);
    if !asked.is_empty() {
        found.extend(safety::check(all().collect(), &asked, options));
    }
    found
}

/// A place in the up script, as a place in the file.
fn in_file(migration: &Migration, span: Span) -> Span {
    migration.source.first_line(span.shifted(migration.up.span.start))
}

/// The words in a part of the up script, in lower case.
fn words(migration: &Migration, span: Span) -> Vec<String> {
    syntax::words(migration.source.slice(span.shifted(migration.up.span.start)))
}

/// True for the rules that are about what was there before the migration: none of
/// them holds for what the migration has made itself.
fn is_about_what_was_there(code: Code) -> bool {
    !matches!(
        code,
        Code::PreferBigintOverInt
            | Code::PreferBigintOverSmallint
            | Code::PreferIdentity
            | Code::PreferRobustStmts
            | Code::PreferTextField
            | Code::PreferTimestampTz
            | Code::BanCharField
            | Code::RequireTableSchema
            | Code::IdentifierTooLong
            | Code::BanDuplicateColumnAssignments
    )
}
