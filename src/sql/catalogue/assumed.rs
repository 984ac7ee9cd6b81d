//! Objects that no script made, and that are used all the same.
//!
//! A baseline outside the directory made them, or a statement that could not be read.
//! What two migrations do to such a table has an order like everything else, so an
//! object stands in for it from its first use on. Its name counts as missing still:
//! who makes it later makes another.

use super::Catalogue;
use super::object::{Column, Detail, Known, Relation, Scope, Slot, Trigger};
use crate::model::Span;
use crate::sql::footprint::{Aspect, Cell, ObjectId, Op, SlotId};
use crate::sql::kind::{Kind, Scoping};
use crate::sql::name::{Ident, QName};

impl Catalogue {
    /// What stands in for whatever has this name.
    pub(super) fn assumed(&self, slot: SlotId) -> Option<ObjectId> {
        self.slots[slot.0 as usize].assumed.filter(|id| !self.object(*id).dropped)
    }

    /// True for a name that stands for nothing now.
    pub(super) fn is_gone(&self, slot: SlotId) -> bool {
        self.is_ours(slot) && self.holder(slot).or_else(|| self.assumed(slot)).is_none()
    }

    /// True for the name of a kind of which the server has nothing that a script may
    /// mean without a schema.
    fn is_ours(&self, slot: SlotId) -> bool {
        let class = self.slots[slot.0 as usize].key.class;
        matches!(class, Kind::Table | Kind::Column | Kind::Type | Kind::Schema)
    }

    /// True for a name that stands for nothing where no script gave it.
    pub fn is_only_made(&self, cell: Cell) -> bool {
        matches!(cell, Cell::Name(slot) if self.is_ours(slot))
    }

    /// What is in a schema, made or assumed.
    pub(super) fn contents(&self, schema: &Ident) -> Vec<ObjectId> {
        let here = |it: &&Slot| matches!(&it.key.scope, Scope::Schema(it) if it == schema);
        let meant = |it: &Slot| it.holder.or(it.assumed).filter(|id| !self.object(*id).dropped);
        let found = self.slots.iter().filter(here).filter_map(meant);
        found.filter(|id| here(&&self.slots[self.object(*id).slot.0 as usize])).collect()
    }

    /// Takes it that there is such an object in one of these scopes. Functions are not
    /// among the kinds: most that no script made are the server's own.
    pub(super) fn assume(
        &mut self,
        kind: Kind,
        scopes: Vec<Scope>,
        name: &Ident,
    ) -> Option<ObjectId> {
        let relation = kind.is_relation() && kind != Kind::Index;
        if self.soft || !(relation || matches!(kind, Kind::Type | Kind::Schema | Kind::Publication))
        {
            return None;
        }
        let lasting = |it: &Scope| !matches!(it, Scope::Schema(it) if it.as_str() == "pg_temp");
        let slots: Vec<_> = scopes
            .into_iter()
            .filter(lasting)
            .map(|scope| self.slot(Self::key(kind, scope, name)))
            .collect();
        let id = self.new_object(kind, *slots.first()?);
        for slot in slots {
            self.slots[slot.0 as usize].assumed = Some(id);
        }
        if let Some(relation) = self.relation_mut(id) {
            relation.known = Known::Uses;
        }
        Some(id)
    }

    /// What no script made may come with an extension of which nobody knows what it brings
    /// along. Most functions without a schema are the server's own.
    pub(super) fn may_come_along(&mut self, kind: Kind, name: &QName) {
        let schema =
            name.schema.clone().map(|name| QName { schema: None, name, span: Span::default() });
        let schema = schema.and_then(|schema| self.peek(Kind::Schema, &schema));
        schema.into_iter().for_each(|it| self.use_of(it, name.span));
        let comes = match kind.class() {
            Kind::Type => true,
            Kind::Routine | Kind::Table => name.schema.is_some(),
            _ => false,
        };
        for extension in self.unknown_extensions.clone() {
            if comes && !self.object(extension).dropped {
                self.use_of(extension, name.span);
            }
        }
    }

    /// True when `whole` may have parts of this kind that are not known.
    pub(super) fn may_have(&self, whole: ObjectId, kind: Kind) -> bool {
        let may = |it: &Relation| it.is_assumed() || it.is_open() && kind == Kind::Column;
        self.relation(whole).is_some_and(may)
    }

    /// Takes it that `whole` has such a part.
    pub(super) fn assume_part(&mut self, whole: ObjectId, kind: Kind, slot: SlotId) -> ObjectId {
        let id = self.new_object(kind, slot);
        self.object_mut(id).detail = match kind {
            Kind::Column => Detail::Column(Column::default()),
            Kind::Constraint => Detail::Constraint(Box::default()),
            Kind::Trigger => Detail::Trigger(Trigger::default()),
            _ => Detail::None,
        };
        self.slots[slot.0 as usize].assumed = Some(id);
        self.attach(whole, id);
        if let Some(relation) = self.relation_mut(whole).filter(|_| kind == Kind::Column) {
            relation.columns.push(id);
        }
        id
    }

    /// Rows of a table that no script made change: others may hang on them.
    pub(super) fn change_elsewhere(&mut self, table: ObjectId, span: Span) {
        if self.relation(table).is_some_and(Relation::is_assumed) {
            let all = self.made_elsewhere;
            self.softly(|it| it.touch(all, Aspect::Rows, Op::Write, span));
        }
    }

    /// Another has the name now.
    pub(super) fn replace_assumed(&mut self, id: ObjectId, slot: SlotId) {
        if self.object(id).slot != slot {
            return;
        }
        self.object_mut(id).dropped = true;
        let table = self.object(id).parent;
        if let Some(relation) = table.and_then(|table| self.relation_mut(table)) {
            relation.columns.retain(|it| *it != id);
        }
    }

    /// What is made without a schema may land in the next one on the path, and be found
    /// there by who has another path.
    pub(super) fn assume_landed(&mut self, id: ObjectId, slot: SlotId) {
        let key = self.slots[slot.0 as usize].key.clone();
        let first = self.path.first().map(|it| Scope::Schema(it.clone()));
        if key.class.scoping() != Scoping::Schema || first.as_ref() != Some(&key.scope) {
            return;
        }
        for schema in self.next_on_path() {
            let slot = self.slot(Self::key(key.class, Scope::Schema(schema), &key.name));
            self.slots[slot.0 as usize].assumed = Some(id);
        }
    }
}
