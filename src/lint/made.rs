//! What a migration has made itself, so that nobody else can miss it.

use std::collections::BTreeMap;

use crate::sql::act::{Act, AlterRelation, Change, Reading};
use crate::sql::{Ident, QName};

/// Names, as they are written, of objects that the statements so far have made.
///
/// Of what is made with `IF NOT EXISTS` nobody knows whether it was there before.
/// Whoever writes that so that a script can be repeated means something new all the
/// same: for what narrows it, that will do, but not for what takes it away.
#[derive(Debug, Default)]
pub(super) struct Made<'a> {
    /// Each with whether it is surely new.
    names: BTreeMap<(Option<&'a Ident>, &'a Ident), bool>,
}

impl<'a> Made<'a> {
    /// Takes note of what `reading` makes.
    pub(super) fn by(&mut self, reading: &'a Reading) {
        self.by_acts(&reading.acts, true);
    }

    /// A block decides itself what it makes, so that is never sure.
    fn by_acts(&mut self, acts: &'a [Act], surely: bool) {
        for act in acts {
            if let Act::Block(inner) | Act::Perhaps(inner) = act {
                self.by_acts(inner, false);
            } else if let Some((name, sure)) = name_of_new(act) {
                *self.names.entry(name).or_default() |= sure && surely;
            }
        }
    }

    /// True when `name` is surely among it.
    pub(super) fn has(&self, name: &QName) -> bool {
        self.names.get(&key(name)) == Some(&true)
    }

    /// True when `name` is among it, or is meant to be.
    pub(super) fn may_have(&self, name: &QName) -> bool {
        self.names.contains_key(&key(name))
    }

    /// True when all that `it` changes is new: it takes nothing from anybody.
    pub(super) fn covers(&self, it: &AlterRelation) -> bool {
        if it.changes.iter().any(takes_away) { self.has(&it.name) } else { self.may_have(&it.name) }
    }

    /// True when all that `reading` changes is among it.
    pub(super) fn has_all_of(&self, reading: &Reading) -> bool {
        let is_new = |act: &Act| match act {
            Act::AlterRelation(it) => self.covers(it),
            Act::CreateIndex(it) => self.may_have(&it.table),
            Act::Drop(it) => match &it.on {
                Some(table) => self.has(table),
                None => !it.cascade && it.names.iter().all(|name| self.has(name)),
            },
            Act::Rename(it) => self.has(it.on.as_ref().unwrap_or(&it.name)),
            Act::SetSchema(it) => self.has(&it.name),
            Act::Truncate(it) => !it.cascade && it.names.iter().all(|name| self.has(name)),
            Act::EnumValue(it) => self.has(&it.ty),
            Act::Create(it) => it.on.as_ref().is_some_and(|table| self.may_have(table)),
            Act::Alter(it) => self.has(it.on.as_ref().unwrap_or(&it.name)),
            _ => false,
        };
        // The role that gets a new table is named, and no more.
        let changes = |act: &&Act| !matches!(act, Act::Use(uses) if uses.relations.is_empty());
        let mut changes = reading.acts.iter().filter(changes).peekable();
        changes.peek().is_some() && changes.all(is_new)
    }
}

fn takes_away(change: &Change) -> bool {
    matches!(
        change,
        Change::DropColumn(_)
            | Change::RenameColumn(..)
            | Change::DropConstraint(_)
            | Change::RenameConstraint(..)
            | Change::RenameTo(_)
            | Change::SetSchema(..)
            | Change::Detach { .. }
    )
}

fn key(name: &QName) -> (Option<&Ident>, &Ident) {
    (name.schema.as_ref(), &name.name)
}

/// What `act` makes, and whether it is surely new.
fn name_of_new(act: &Act) -> Option<((Option<&Ident>, &Ident), bool)> {
    let (name, sure) = match act {
        // It lies where its table does.
        Act::CreateIndex(it) => {
            return Some(((it.table.schema.as_ref(), it.name.as_ref()?), !it.if_not_exists));
        }
        Act::CreateTable(it) => (&it.name, !it.if_not_exists),
        Act::CreateView(it) if !it.replace => (&it.name, !it.if_not_exists),
        Act::CreateRoutine(it) if !it.replace => (&it.name, true),
        Act::CreateType(it) => (&it.name, true),
        Act::CreateSequence(it) => (&it.name, !it.if_not_exists),
        Act::Create(it) if !it.replace && it.on.is_none() => (&it.name, !it.if_not_exists),
        _ => return None,
    };
    Some((key(name), sure))
}
