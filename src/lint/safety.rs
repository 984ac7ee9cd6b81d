//! What statements do to an application that runs meanwhile.

use std::ops::Range;
use std::time::Duration;

use rayon::prelude::*;

use super::made::Made;
use super::{LintOptions, additive, blocking, in_file, is_about_what_was_there, repeatable};
use crate::model::{
    Code, Diagnostic, Diagnostics, Migration, Place, Preset, Rules, Span, StatementKind,
};
use crate::sql::Reading;
use crate::sql::act::{Act, Change, Filled};
use crate::syntax::{self, LinterFailed, Tree, Violation, on_large_stack};

/// The rules to ask. What `not-additive` finds is what no other rule is about, so
/// those are asked too, even though what they find is not told.
pub(super) fn asked(rules: &Rules) -> Vec<Code> {
    let additive = rules.is_on(Code::NotAdditive);
    let left_to: Vec<Code> = if additive { Preset::AdditiveOnly.codes().collect() } else { vec![] };
    let is_asked = |code: &Code| rules.is_on(*code) || left_to.contains(code);
    let mut asked: Vec<_> = Code::SAFETY.iter().copied().filter(is_asked).collect();
    asked.extend(Code::OWN_SAFETY.into_iter().filter(|code| rules.is_on(*code)));
    asked
}

/// What `asked` find in each of `all`.
pub(super) fn check(
    all: Vec<(&Migration, &[Reading])>,
    asked: &[Code],
    options: &LintOptions,
) -> Diagnostics {
    let check = |(migration, readings)| Script { migration, readings, asked }.check(options);
    on_large_stack(|| all.into_par_iter().flat_map_iter(check).collect())
}

struct Script<'a> {
    migration: &'a Migration,
    readings: &'a [Reading],
    asked: &'a [Code],
}

impl Script<'_> {
    fn check(&self, options: &LintOptions) -> Diagnostics {
        let Self { migration, .. } = self;
        let text = migration.source.slice(migration.up.span);
        // What is no SQL for the parser, and sent all the same, is not for us to judge.
        let Ok(tree) = syntax::parse(text) else { return vec![] };
        let Ok(mut violations) = self.violations(&tree) else { return vec![self.failed()] };
        violations.sort_by_key(|one| one.span);
        let moot = self.moot();
        violations.retain(|one| !(is_about_what_was_there(one.code) && holds(&moot, one.span)));
        violations.retain(|one| !self.refers_from_nowhere(one));
        let mut found: Diagnostics = violations.iter().map(|one| self.told(one)).collect();
        found.extend(self.timeouts(&tree, &moot, options));
        if self.asked.contains(&Code::NotRepeatable) {
            found.extend(repeatable::check(migration, self.readings));
        }
        if self.asked.contains(&Code::BlockingStatement) {
            found.extend(blocking::check(migration, self.readings));
        }
        if self.asked.contains(&Code::NotAdditive) {
            violations.retain(|one| one.code != Code::PreferRobustStmts);
            let left_to_others = |span: Range<usize>| {
                let first = violations.partition_point(|one| one.span.start < span.start);
                violations.get(first).is_some_and(|one| one.span.start < span.end)
            };
            let takings = syntax::takings(&tree);
            let takes = |span: Span| holds(&takings, span);
            found.extend(additive::check(migration, self.readings, left_to_others, takes));
        }
        found
    }

    fn violations(&self, tree: &Tree) -> Result<Vec<Violation>, LinterFailed> {
        let up = &self.migration.up;
        let in_transaction = !up.is_non_transactional();
        let mut found = syntax::violations(tree, self.asked, in_transaction)?;
        if self.asked.contains(&Code::PreferRobustStmts) {
            // For squawk, what stands between BEGIN and COMMIT need not be repeatable.
            let robust = match syntax::parse(&up.sql(&self.migration.source)) {
                Ok(plain) if !up.left_out.is_empty() => syntax::repeatable(&plain, in_transaction),
                _ => syntax::repeatable(tree, in_transaction),
            };
            found.extend(robust?.into_iter().filter(|one| !self.builds_concurrently(one)));
        }
        Ok(found)
    }

    /// `IF NOT EXISTS` would do harm there: see `concurrently-if-not-exists`.
    fn builds_concurrently(&self, one: &Violation) -> bool {
        let up = &self.migration.up;
        let start = one.span.start + up.span.start;
        let at = up.statements.partition_point(|statement| statement.span.end <= start);
        let builds = StatementKind::NonTransactional("CREATE INDEX CONCURRENTLY");
        up.statements.get(at).is_some_and(|statement| statement.kind == builds)
    }

    /// A new column is NULL in all rows, so its reference needs no check: PostgreSQL
    /// makes none, and squawk says that it does.
    fn refers_from_nowhere(&self, one: &Violation) -> bool {
        if one.code != Code::AddingForeignKeyConstraint {
            return false;
        }
        let at = self.readings.partition_point(|it| it.span.end <= one.span.start);
        let acts = self.readings.get(at).map_or(&[][..], |reading| &reading.acts);
        let changes = acts.iter().flat_map(|act| match act {
            Act::AlterRelation(it) => &it.changes[..],
            _ => &[],
        });
        let is_empty_column = |change: &Change| match change {
            Change::AddColumn { column, .. } => {
                column.filled == Filled::Null && holds(&[column.span], one.span)
            }
            _ => false,
        };
        changes.into_iter().any(is_empty_column)
    }

    /// The statements that change only what the script itself has made.
    fn moot(&self) -> Vec<Span> {
        let mut made = Made::default();
        let mut moot = Vec::new();
        for reading in self.readings {
            if made.has_all_of(reading) {
                moot.push(reading.span);
            }
            made.by(reading);
        }
        moot
    }

    fn told(&self, one: &Violation) -> Diagnostic {
        let Self { migration, .. } = self;
        let place = Place::new(&migration.source, in_file(migration, one.span), "");
        let told = Diagnostic::warning(one.code, one.message.clone()).at(place);
        one.help.iter().fold(told, Diagnostic::help)
    }

    fn failed(&self) -> Diagnostic {
        let message = "the linter failed on this script: the safety rules could not be checked";
        Diagnostic::warning(Code::Opaque, message).at(Place::file(&self.migration.source))
    }

    fn timeouts(&self, tree: &Tree, moot: &[Span], options: &LintOptions) -> Diagnostics {
        let Self { migration, asked, .. } = self;
        // The run's own are for scripts that run in one transaction.
        let of_run = |time: Option<Duration>| time.filter(|_| !migration.up.is_non_transactional());
        let header = &migration.header;
        let settings = [
            (
                Code::RequireLockTimeout,
                "lock_timeout",
                header.lock_timeout.or(of_run(options.lock_timeout)),
                "this may wait for a lock for ever, and all behind it wait too",
                "write `-- @lockTimeout: 5s` in the header",
            ),
            (
                Code::RequireStatementTimeout,
                "statement_timeout",
                header.statement_timeout.or(of_run(options.statement_timeout)),
                "this may run for ever, and keep its locks as long",
                "write `-- @statementTimeout: 30s` in the header",
            ),
        ];
        let told = |(code, setting, time, message, help): (_, _, Option<Duration>, &str, &str)| {
            let is_limited = time.is_some_and(|time| !time.is_zero());
            let found = syntax::endless(tree, setting, is_limited, |span| holds(moot, span))?;
            let place = Place::new(&migration.source, in_file(migration, found.span), "");
            let own = format!("the script switches `{setting}` off: leave that out, or set a time");
            let help = if found.switched_off { &own } else { help };
            Some(Diagnostic::warning(code, message).at(place).help(help))
        };
        let asked = settings.into_iter().filter(|(code, ..)| asked.contains(code));
        asked.filter_map(told).collect()
    }
}

/// True when one of `spans`, which are in order, holds the beginning of `span`.
fn holds(spans: &[Span], span: Span) -> bool {
    let at = spans.partition_point(|one| one.end <= span.start);
    spans.get(at).is_some_and(|one| one.start <= span.start)
}
