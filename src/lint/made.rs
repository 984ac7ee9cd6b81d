//! What a migration has made itself, so that nobody else can miss it.

use std::collections::BTreeSet;

use crate::sql::act::{Act, Reading};
use crate::sql::{Ident, QName};

/// Names, as they are written, of objects that the statements so far have made.
#[derive(Debug, Default)]
pub(super) struct Made<'a>(BTreeSet<(Option<&'a Ident>, &'a Ident)>);

impl<'a> Made<'a> {
    /// Takes note of what `reading` makes. What it makes only perhaps may have been
    /// there before.
    pub(super) fn by(&mut self, reading: &'a Reading) {
        self.0.extend(reading.acts.iter().filter_map(name_of_new));
    }

    /// True when `name` is among it.
    pub(super) fn has(&self, name: &QName) -> bool {
        self.0.contains(&(name.schema.as_ref(), &name.name))
    }

    /// True when all that `reading` changes is among it.
    pub(super) fn has_all_of(&self, reading: &Reading) -> bool {
        let is_new = |act: &Act| match act {
            Act::AlterRelation(it) => self.has(&it.name),
            Act::CreateIndex(it) => self.has(&it.table),
            Act::Drop(it) => match &it.on {
                Some(table) => self.has(table),
                None => !it.cascade && it.names.iter().all(|name| self.has(name)),
            },
            Act::Rename(it) => self.has(it.on.as_ref().unwrap_or(&it.name)),
            Act::SetSchema(it) => self.has(&it.name),
            Act::Truncate(it) => !it.cascade && it.names.iter().all(|name| self.has(name)),
            Act::EnumValue(it) => self.has(&it.ty),
            _ => false,
        };
        !reading.acts.is_empty() && reading.acts.iter().all(is_new)
    }
}

fn name_of_new(act: &Act) -> Option<(Option<&Ident>, &Ident)> {
    let name = match act {
        // It lies where its table does.
        Act::CreateIndex(it) if !it.if_not_exists => {
            return Some((it.table.schema.as_ref(), it.name.as_ref()?));
        }
        Act::CreateTable(it) if !it.if_not_exists => Some(&it.name),
        Act::CreateView(it) if !it.if_not_exists && !it.replace => Some(&it.name),
        Act::CreateRoutine(it) if !it.replace => Some(&it.name),
        Act::CreateType(it) => Some(&it.name),
        Act::CreateSequence(it) if !it.if_not_exists => Some(&it.name),
        Act::Create(it) if !it.if_not_exists && !it.replace && it.on.is_none() => Some(&it.name),
        _ => None,
    }?;
    Some((name.schema.as_ref(), &name.name))
}
