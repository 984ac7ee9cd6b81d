//! What keeps the application waiting, and no rule of squawk's is about.

use super::made::Made;
use super::{in_file, words};
use crate::model::{Code, Diagnostic, Diagnostics, Migration, Place};
use crate::sql::act::{Act, AlterRelation, Change, Filled, Locking, Maintenance, NewColumn};
use crate::sql::{Kind, LockMode, Reading};

/// What is said of a statement, and what to do.
type Told = (String, &'static str);

const WEAKER: &str =
    "leave it out, or take a weaker mode: each statement takes the lock that it needs by itself";
const NOBODY_THERE: &str = "do this when nobody uses it, and then let it pass with `-- migraph-ignore: blocking-statement: the reason`";
const BY_HAND: &str =
    "add the column without a default, then set the default, and number the old rows in batches";
const CONCURRENTLY: &str =
    "write `REFRESH MATERIALIZED VIEW CONCURRENTLY`, which needs a unique index on it";

/// What of `migration` keeps others from reading or writing for long, a finding for
/// each statement. What the migration has made itself is in nobody's way.
pub(super) fn check(migration: &Migration, readings: &[Reading]) -> Diagnostics {
    let mut made = Made::default();
    let mut found = Vec::new();
    for reading in readings {
        // First of all, since a block may lock what it has made.
        made.by(reading);
        let statement = words(migration, reading.span);
        let seen = Seen { migration, made: &made, statement: &statement };
        if let Some((message, help)) = reading.acts.iter().find_map(|act| seen.blocked(act)) {
            let place = Place::new(&migration.source, in_file(migration, reading.span), "");
            found.push(Diagnostic::warning(Code::BlockingStatement, message).at(place).help(help));
        }
    }
    found
}

/// What is known when a statement is looked at.
struct Seen<'a> {
    migration: &'a Migration,
    made: &'a Made<'a>,
    /// Its words.
    statement: &'a [String],
}

impl Seen<'_> {
    fn blocked(&self, act: &Act) -> Option<Told> {
        match act {
            Act::Lock(it) => self.locked(it),
            Act::AlterRelation(it) if !self.made.covers(it) => {
                it.changes.iter().find_map(|change| self.rewritten(it, change))
            }
            Act::Barrier(..) => self.everything(),
            Act::Block(acts) | Act::Perhaps(acts) => acts.iter().find_map(|act| self.blocked(act)),
            _ => None,
        }
    }

    fn locked(&self, it: &Locking) -> Option<Told> {
        let name = it.names.iter().find(|name| !self.made.may_have(name))?.name.as_str();
        match (it.what, it.mode) {
            (Maintenance::Lock, LockMode::AccessExclusive) => {
                Some((format!("nobody can read or write `{name}` from here to the end"), WEAKER))
            }
            (Maintenance::Lock, mode) if mode.conflicts_with(LockMode::RowExclusive) => {
                Some((format!("nobody can write to `{name}` from here to the end"), WEAKER))
            }
            (Maintenance::Cluster, _) => Some(copied(name)),
            (Maintenance::Keep, _) if is_vacuum_full(self.statement) => Some(copied(name)),
            (Maintenance::Refresh, LockMode::AccessExclusive) => {
                Some((format!("nobody can read `{name}` while this fills it"), CONCURRENTLY))
            }
            _ => None,
        }
    }

    fn rewritten(&self, it: &AlterRelation, change: &Change) -> Option<Told> {
        let name = it.name.name.as_str();
        match change {
            Change::AddColumn { column, .. } if is_serial(column) => Some((
                format!("this numbers all rows of `{name}`: nobody can read or write it meanwhile"),
                BY_HAND,
            )),
            Change::Other(_, _, span) if it.kind != Kind::Sequence => {
                let words = words(self.migration, *span);
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                let copies = matches!(
                    words.as_slice(),
                    ["set", "logged" | "unlogged" | "tablespace", ..]
                        | ["set", "access", "method", ..]
                );
                copies.then(|| copied(name))
            }
            _ => None,
        }
    }

    /// Statements that name no table.
    fn everything(&self) -> Option<Told> {
        let words: Vec<_> = self.statement.iter().map(String::as_str).collect();
        // An `ALTER` of everything is one of `ALL IN TABLESPACE`.
        let copies = matches!(
            words.as_slice(),
            ["cluster", ..] | ["alter", "table" | "index" | "materialized", ..]
        );
        let message = "this copies table after table: nobody can read or write them meanwhile";
        let copies = copies || is_vacuum_full(self.statement);
        copies.then(|| (message.to_owned(), NOBODY_THERE))
    }
}

fn copied(name: &str) -> Told {
    let message = format!("this copies all of `{name}`: nobody can read or write it meanwhile");
    (message, NOBODY_THERE)
}

/// `FULL` may be switched off in parentheses.
fn is_vacuum_full(words: &[String]) -> bool {
    let full = words.iter().position(|word| word == "full");
    let is_on = |at| words.get(at + 1).is_none_or(|word| word != "false" && word != "off");
    words.first().is_some_and(|word| word == "vacuum") && full.is_some_and(is_on)
}

/// Squawk knows identity columns, and defaults that are written as such. A `serial` is
/// read as a number without a type.
fn is_serial(column: &NewColumn) -> bool {
    column.filled == Filled::Numbered && column.ty.is_none()
}
