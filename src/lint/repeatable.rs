//! What fails when a script is run once more, beyond what squawk's
//! `prefer-robust-stmts` knows: that asks about tables, columns, indexes and types only.

use std::collections::BTreeSet;

use super::{in_file, words};
use crate::model::{Code, Diagnostic, Diagnostics, Migration, Place};
use crate::sql::act::{Act, Change, EnumChange, NewIndex, NewTable, Removal};
use crate::sql::{Ident, Kind, QName, Reading};

/// What of `migration` cannot be repeated, a finding for each statement. What stands in
/// a `DO` block is left out: the block can look for itself what is there.
pub(super) fn check(migration: &Migration, readings: &[Reading]) -> Diagnostics {
    let mut before = Before::default();
    let mut found = Vec::new();
    for reading in readings {
        let statement = words(migration, reading.span);
        let why = reading.acts.iter().find_map(|act| before.why_not(act, &statement));
        if let Some((message, help)) = why {
            let place = Place::new(&migration.source, in_file(migration, reading.span), "");
            found.push(Diagnostic::warning(Code::NotRepeatable, message).at(place).help(help));
        }
        before.take_note(&reading.acts);
    }
    found
}

/// A name as it is written, and the table that it belongs to.
type Key<'a> = (Option<Name<'a>>, Name<'a>);
type Name<'a> = (Option<&'a Ident>, &'a Ident);

/// What a statement makes.
struct New<'a> {
    kind: Kind,
    name: &'a QName,
    on: Option<&'a QName>,
    /// `OR REPLACE` or `IF NOT EXISTS`, or `prefer-robust-stmts` asks for that.
    is_guarded: bool,
    /// Gone with the session: no other run finds it.
    is_temporary: bool,
}

/// What the statements so far have done to names.
#[derive(Default)]
struct Before<'a> {
    /// They are nobody's: what had them was dropped or renamed, or is temporary.
    free: BTreeSet<Key<'a>>,
    /// Something has them.
    taken: BTreeSet<Key<'a>>,
}

impl<'a> Before<'a> {
    fn take_note(&mut self, acts: &'a [Act]) {
        for act in acts {
            match act {
                Act::Drop(it) => {
                    self.free.extend(it.names.iter().map(|name| key(it.on.as_ref(), name)));
                }
                Act::Rename(it) => drop(self.free.insert(key(it.on.as_ref(), &it.name))),
                Act::AlterRelation(it) if it.changes.iter().any(renames) => {
                    self.free.insert(key(None, &it.name));
                }
                Act::Block(inner) | Act::Perhaps(inner) => self.take_note(inner),
                act => self.take_note_of_new(act),
            }
        }
    }

    fn take_note_of_new(&mut self, act: &'a Act) {
        let Some(new) = new_of(act) else { return };
        self.taken.insert(key(new.on, new.name));
        if new.is_temporary {
            self.free.insert(key(None, new.name));
        }
    }

    /// True when nothing can be left of `name` from an earlier run.
    fn is_free(&self, on: Option<&QName>, name: &QName) -> bool {
        let schema = name.schema.as_ref().or(on.and_then(|table| table.schema.as_ref()));
        let is_schema_free = |schema: &Ident| {
            schema.as_str() == "pg_temp" || self.free.contains(&(None, (None, schema)))
        };
        self.free.contains(&key(on, name))
            || self.free.contains(&key(None, name))
            || on.is_some_and(|table| self.free.contains(&key(None, table)))
            || schema.is_some_and(is_schema_free)
    }

    /// Why `act`, of the statement of these words, fails the second time, and what to do.
    fn why_not(&self, act: &Act, statement: &[String]) -> Option<(String, &'static str)> {
        match act {
            Act::EnumValue(it) => self.why_not_value(it, statement),
            Act::CreateIndex(it) => self.why_not_index(it),
            Act::Drop(it) => self.why_not_dropped(it),
            act => new_of(act)
                .filter(|new| !new.is_guarded && !new.is_temporary)
                .filter(|_| !is_into_temporary(act, statement))
                .filter(|new| !self.is_free(new.on, new.name))
                .map(|new| why_not_made(&new)),
        }
    }

    fn why_not_value(&self, it: &EnumChange, words: &[String]) -> Option<(String, &'static str)> {
        let is_guarded = words.windows(3).any(|three| three == ["if", "not", "exists"]);
        if it.renamed.is_some() || is_guarded || self.is_free(None, &it.ty) {
            return None;
        }
        let (value, ty) = (it.label.as_str(), it.ty.name.as_str());
        let message =
            format!("without `IF NOT EXISTS` this fails where `{ty}` has `{value}` already");
        Some((message, "write `ADD VALUE IF NOT EXISTS`"))
    }

    fn why_not_index(&self, it: &NewIndex) -> Option<(String, &'static str)> {
        if it.name.is_some() || self.is_free(None, &it.table) {
            return None;
        }
        let table = it.table.name.as_str();
        let message = format!("an index without a name: each run gives `{table}` one more");
        Some((message, "give it a name, and write `IF NOT EXISTS` before that"))
    }

    fn why_not_dropped(&self, it: &Removal) -> Option<(String, &'static str)> {
        let others = matches!(it.kind, Kind::Table | Kind::Index | Kind::Type);
        if it.if_exists || others {
            return None;
        }
        let is_there = |name: &QName| self.taken.contains(&key(it.on.as_ref(), name));
        let name = it.names.iter().find(|name| !is_there(name))?.name.as_str();
        let kind = it.kind.as_str();
        let message = format!("without `IF EXISTS` this fails where {kind} `{name}` is not there");
        Some((message, "write `IF EXISTS` before the name"))
    }
}

fn key<'a>(on: Option<&'a QName>, name: &'a QName) -> Key<'a> {
    let part = |name: &'a QName| (name.schema.as_ref(), &name.name);
    (on.map(part), part(name))
}

fn renames(change: &Change) -> bool {
    matches!(change, Change::RenameTo(_))
}

fn new_of(act: &Act) -> Option<New<'_>> {
    let (kind, name, is_guarded, is_temporary) = match act {
        Act::CreateTable(it) => (it.kind, &it.name, it.if_not_exists || is_plain(it), it.temporary),
        Act::CreateView(it) => (it.kind, &it.name, it.replace || it.if_not_exists, it.temporary),
        Act::CreateRoutine(it) => (Kind::Routine, &it.name, it.replace, false),
        Act::CreateType(it) => (Kind::Type, &it.name, false, false),
        Act::CreateSequence(it) => (Kind::Sequence, &it.name, it.if_not_exists, it.temporary),
        Act::Create(it) => (it.kind, &it.name, it.replace || it.if_not_exists, false),
        _ => return None,
    };
    let on = match act {
        Act::Create(it) => it.on.as_ref(),
        _ => None,
    };
    Some(New { kind, name, on, is_guarded, is_temporary })
}

/// A table of which `prefer-robust-stmts` speaks.
fn is_plain(it: &NewTable) -> bool {
    it.query.is_none() && it.kind == Kind::Table
}

/// `SELECT … INTO TEMP`.
fn is_into_temporary(act: &Act, statement: &[String]) -> bool {
    let is_temporary = |two: &[String]| two[0] == "into" && two[1].starts_with("temp");
    matches!(act, Act::CreateTable(_)) && statement.windows(2).any(is_temporary)
}

fn why_not_made(new: &New<'_>) -> (String, &'static str) {
    let (kind, name) = (new.kind.as_str(), new.name.name.as_str());
    let without = |clause: &str| {
        format!("without `{clause}` this fails where {kind} `{name}` is there already")
    };
    match new.kind {
        Kind::View
        | Kind::Routine
        | Kind::Trigger
        | Kind::Rule
        | Kind::Language
        | Kind::Transform => (without("OR REPLACE"), "write `CREATE OR REPLACE`"),
        Kind::Table
        | Kind::ForeignTable
        | Kind::MaterializedView
        | Kind::Sequence
        | Kind::Schema
        | Kind::Extension
        | Kind::Statistics
        | Kind::Collation
        | Kind::Server
        | Kind::UserMapping => (without("IF NOT EXISTS"), "write `IF NOT EXISTS` before the name"),
        _ => (
            format!("this fails where {kind} `{name}` is there already"),
            "make it in a `DO` block that looks first, or `DROP … IF EXISTS` it just before",
        ),
    }
}
