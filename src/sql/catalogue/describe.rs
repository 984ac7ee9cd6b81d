//! What a catalogue can be asked.

use super::Catalogue;
use super::object::{NameKey, Scope};
use crate::sql::footprint::{Cell, ObjectId};
use crate::sql::kind::Kind;

impl Catalogue {
    /// What an object is.
    pub fn kind(&self, id: ObjectId) -> Kind {
        self.object(id).kind
    }

    /// Its present name, or its last: `public.users`, `public.users.email`.
    pub fn name(&self, id: ObjectId) -> String {
        self.shown(self.key_of(id))
    }

    fn shown(&self, key: &NameKey) -> String {
        match &key.scope {
            Scope::Schema(schema) => format!("{schema}.{}", key.name),
            Scope::Of(parent) => format!("{}.{}", self.name(*parent), key.name),
            Scope::Global => key.name.to_string(),
        }
    }

    /// A cell for people: `column public.users.email`.
    pub fn describe(&self, cell: Cell) -> String {
        match cell {
            Cell::Name(slot) => {
                let key = &self.slots[slot.0 as usize].key;
                format!("{} {}", key.class.as_str(), self.shown(key))
            }
            Cell::Object(id, _) => format!("{} {}", self.kind(id).as_str(), self.name(id)),
        }
    }

    /// True for the cell that stands for all that an opaque statement may touch.
    pub fn is_anything(&self, cell: Cell) -> bool {
        matches!(cell, Cell::Object(id, _) if id == self.anything)
    }

    /// True for the cell that stands for the rows of all tables that no script made.
    pub fn is_made_elsewhere(&self, cell: Cell) -> bool {
        matches!(cell, Cell::Object(id, _) if id == self.made_elsewhere)
    }

    /// Every object that is there, with its name.
    pub fn objects(&self) -> impl Iterator<Item = (ObjectId, Kind, String)> {
        let there = self.slots.iter().filter_map(|slot| slot.holder);
        there.filter(|id| !self.object(*id).temporary).map(|id| (id, self.kind(id), self.name(id)))
    }

    /// The table, type or extension that an object belongs to.
    pub fn owner(&self, id: ObjectId) -> Option<ObjectId> {
        self.object(id).parent
    }
}
