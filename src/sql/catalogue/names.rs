//! Names to objects.

use std::sync::LazyLock;

use super::Catalogue;
use super::object::{Detail, NameKey, Object, Relation, Scope, Slot};
use crate::model::Span;
use crate::sql::footprint::{Aspect, Cell, ObjectId, Op, SlotId, Touch};
use crate::sql::kind::{Kind, Scoping};
use crate::sql::name::{Ident, QName, numbered};

/// What a lookup says when there is nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// The statement would fail, or something unknown is meant.
    Missing,
    /// It does not matter: `IF EXISTS`, `OR REPLACE`.
    Fine,
}

/// The schema of temporary objects.
static TEMPORARY: LazyLock<Ident> = LazyLock::new(|| Ident::new("pg_temp"));

impl Catalogue {
    /// The slot of a name; made when it was never heard of.
    pub(super) fn slot(&mut self, key: NameKey) -> SlotId {
        if let Some(slot) = self.by_name.get(&key) {
            return *slot;
        }
        let slot = SlotId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.slots.push(Slot { key: key.clone(), holder: None, made: false, assumed: None });
        self.by_name.insert(key, slot);
        slot
    }

    pub(super) fn key(class: Kind, scope: Scope, name: &Ident) -> NameKey {
        NameKey { class: class.class(), scope, name: name.clone() }
    }

    /// What was given the name, and still has it.
    pub(super) fn holder(&self, slot: SlotId) -> Option<ObjectId> {
        self.slots[slot.0 as usize].holder
    }

    pub(super) fn object(&self, id: ObjectId) -> &Object {
        &self.objects[id.0 as usize]
    }

    pub(super) fn object_mut(&mut self, id: ObjectId) -> &mut Object {
        &mut self.objects[id.0 as usize]
    }

    pub(super) fn key_of(&self, id: ObjectId) -> &NameKey {
        &self.slots[self.object(id).slot.0 as usize].key
    }

    pub(super) fn name_of(&self, id: ObjectId) -> &Ident {
        &self.key_of(id).name
    }

    pub(super) fn relation(&self, id: ObjectId) -> Option<&Relation> {
        match &self.object(id).detail {
            Detail::Relation(relation) => Some(relation),
            _ => None,
        }
    }

    pub(super) fn relation_mut(&mut self, id: ObjectId) -> Option<&mut Relation> {
        match &mut self.object_mut(id).detail {
            Detail::Relation(relation) => Some(relation),
            _ => None,
        }
    }

    /// The scopes in which a name is looked for, the first hit counts
    /// (<https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH>).
    fn scopes(&self, kind: Kind, name: &QName) -> Vec<Scope> {
        match (kind.scoping(), &name.schema) {
            (Scoping::Schema, Some(schema)) => vec![Scope::Schema(schema.clone())],
            (Scoping::Schema, None) => {
                let schemas = std::iter::once(&*TEMPORARY).chain(&self.path);
                schemas.cloned().map(Scope::Schema).collect()
            }
            _ => vec![Scope::Global],
        }
    }

    /// Where a new object of this name goes. A schema on the path of which nothing is
    /// known may be there, or be passed over: then the name is taken in the next one.
    pub(super) fn home(&mut self, kind: Kind, name: &QName, temporary: bool) -> Scope {
        if temporary {
            return Scope::Schema(TEMPORARY.clone());
        }
        if let Some(schema) = &name.schema {
            return Scope::Schema(schema.clone());
        }
        for schema in self.next_on_path() {
            let of_schema = QName { schema: None, name: schema.clone(), span: name.span };
            if let Some(of_schema) = self.peek(Kind::Schema, &of_schema) {
                self.touch(of_schema, Aspect::Members, Op::Add, name.span);
            }
            let slot = self.slot(Self::key(kind, Scope::Schema(schema), &name.name));
            self.touch_slot(slot, Op::Write, name.span);
        }
        Scope::Schema(self.path.first().cloned().unwrap_or_else(|| Ident::new("public")))
    }

    /// The schemas after the first one on the path where what is made may land, because
    /// no script made those before.
    pub(super) fn next_on_path(&self) -> Vec<Ident> {
        let is_made = |schema: &Ident| {
            let slot = self.by_name.get(&Self::key(Kind::Schema, Scope::Global, schema));
            slot.is_some_and(|slot| self.holder(*slot).is_some())
        };
        let made = self.path.iter().position(is_made);
        self.path.get(1..=made.unwrap_or(0)).unwrap_or_default().to_vec()
    }

    /// Looks a name up without a trace.
    pub(super) fn peek(&self, kind: Kind, name: &QName) -> Option<ObjectId> {
        self.peek_made(kind, name).or_else(|| self.peek_assumed(kind, name))
    }

    fn peek_made(&self, kind: Kind, name: &QName) -> Option<ObjectId> {
        let find = |scope| self.by_name.get(&Self::key(kind, scope, &name.name));
        self.scopes(kind, name).into_iter().find_map(|scope| self.holder(*find(scope)?))
    }

    fn peek_assumed(&self, kind: Kind, name: &QName) -> Option<ObjectId> {
        let find = |scope| self.by_name.get(&Self::key(kind, scope, &name.name));
        self.scopes(kind, name).into_iter().find_map(|scope| self.assumed(*find(scope)?))
    }

    /// Looks a name up. When no script made it, whoever does will have to do with this
    /// migration, and so will who uses it as well.
    pub(super) fn find(&mut self, kind: Kind, name: &QName, absent: Absent) -> Option<ObjectId> {
        if let Some(id) = self.peek_made(kind, name) {
            self.pass_by(kind, name, id);
            return Some(id);
        }
        if name.is_system() {
            return None;
        }
        let scopes = self.scopes(kind, name);
        self.miss(scopes.clone(), (kind, name), absent);
        if absent == Absent::Missing {
            self.may_come_along(kind, name);
        }
        self.peek_assumed(kind, name).or_else(|| {
            (absent == Absent::Missing).then(|| self.assume(kind, scopes, &name.name))?
        })
    }

    /// The same for what is there, by all that the statement says, even if it takes care.
    pub(super) fn find_or_assume(
        &mut self,
        kind: Kind,
        name: &QName,
        absent: Absent,
    ) -> Option<ObjectId> {
        let found = self.find(kind, name, absent);
        found.or_else(|| self.assume(kind, self.scopes(kind, name), &name.name))
    }

    /// What is made later in a schema that is searched before hides what is found.
    fn pass_by(&mut self, kind: Kind, name: &QName, found: ObjectId) {
        if name.schema.is_none() && self.path.len() > 1 {
            let scope = &self.key_of(found).scope;
            let before: Vec<_> =
                self.scopes(kind, name).into_iter().take_while(|it| it != scope).collect();
            self.miss(before, (kind, name), Absent::Fine);
        }
    }

    /// Whoever makes such an object later has to do with this migration.
    pub(super) fn note_missing(&mut self, kind: Kind, name: &QName) {
        self.miss(self.scopes(kind, name), (kind, name), Absent::Missing);
    }

    fn miss(&mut self, scopes: Vec<Scope>, (kind, name): (Kind, &QName), absent: Absent) {
        for scope in scopes {
            if matches!(&scope, Scope::Schema(schema) if schema.as_str() == "pg_temp") {
                continue;
            }
            let slot = self.slot(Self::key(kind, scope, &name.name));
            self.look_in_vain(slot, absent == Absent::Missing, name.span);
        }
    }

    /// A part of `parent`, such as a column, without a trace.
    pub(super) fn part(&self, parent: ObjectId, kind: Kind, name: &Ident) -> Option<ObjectId> {
        let key = Self::key(kind, Scope::Of(parent), name);
        let slot = *self.by_name.get(&key)?;
        self.holder(slot).or_else(|| self.assumed(slot))
    }

    /// A part of `parent`; when there is none, see [`Self::find`].
    pub(super) fn find_part(
        &mut self,
        parent: ObjectId,
        kind: Kind,
        name: (&Ident, Span),
        absent: Absent,
    ) -> Option<ObjectId> {
        let slot = self.slot(Self::key(kind, Scope::Of(parent), name.0));
        if let Some(found) = self.holder(slot) {
            return Some(found);
        }
        let open = self.may_have(parent, kind);
        let missing = absent == Absent::Missing;
        if !self.object(parent).temporary {
            self.look_in_vain(slot, missing && !open, name.1);
        }
        let assume = open && missing && !self.soft;
        self.assumed(slot).or_else(|| assume.then(|| self.assume_part(parent, kind, slot)))
    }

    /// There is nothing of this name; `needed` is true when something should be.
    fn look_in_vain(&mut self, slot: SlotId, needed: bool, span: Span) {
        let made = self.slots[slot.0 as usize].made;
        let (missing, gone) = (needed && !made, needed && made);
        let touch = Touch { missing, gone, guarded: self.perhaps, ..self.plain_touch(span) };
        self.now.add(Cell::Name(slot), Op::Read, touch);
    }

    /// Records that the present script does this to an aspect of an object.
    pub(super) fn touch(&mut self, id: ObjectId, aspect: Aspect, op: Op, span: Span) {
        if !self.object(id).temporary {
            let touch = self.plain_touch(span);
            self.now.add(Cell::Object(id, aspect), op, touch);
        }
    }

    /// Records that the present script uses an object, and what it comes with.
    pub(super) fn use_of(&mut self, id: ObjectId, span: Span) {
        self.touch(id, Aspect::Definition, Op::Read, span);
        if self.other_role {
            self.ask_leave(id, span);
        }
        let parent = self.object(id).parent;
        if let Some(parent) = parent.filter(|it| self.object(*it).kind == Kind::Extension) {
            self.touch(parent, Aspect::Definition, Op::Read, span);
        }
    }

    /// Another role than the one that runs the migrations may only what it was granted,
    /// on the object and on its schema.
    pub(super) fn ask_leave(&mut self, id: ObjectId, span: Span) {
        self.touch(id, Aspect::Privileges, Op::Read, span);
        self.touch(id, Aspect::Security, Op::Read, span);
        if self.object(id).kind.is_relation() {
            // Policies say which rows it sees.
            self.touch(id, Aspect::Behaviour, Op::Read, span);
        }
        let schema = match &self.key_of(id).scope {
            Scope::Schema(schema) => QName { schema: None, name: schema.clone(), span },
            _ => return,
        };
        if let Some(schema) = self.peek(Kind::Schema, &schema) {
            self.touch(schema, Aspect::Privileges, Op::Read, span);
        }
    }

    /// Something is changed of which only the name is known.
    pub(super) fn change_name(&mut self, kind: Kind, name: &QName, op: Op) {
        for scope in self.scopes(kind, name) {
            let slot = self.slot(Self::key(kind, scope, &name.name));
            self.touch_slot(slot, op, name.span);
        }
    }

    fn touch_slot(&mut self, slot: SlotId, op: Op, span: Span) {
        let touch = Touch { guarded: self.perhaps, ..self.plain_touch(span) };
        self.now.add(Cell::Name(slot), op, touch);
    }

    fn plain_touch(&self, span: Span) -> Touch {
        Touch { span: self.place(span), soft: self.soft, ..Touch::default() }
    }

    /// Makes an object. What has its name already is taken for it: the script
    /// says `IF NOT EXISTS` in some way, or fails.
    pub(super) fn make(
        &mut self,
        kind: Kind,
        scope: Scope,
        name: (&Ident, Span),
    ) -> (ObjectId, bool) {
        let slot = self.slot(Self::key(kind, scope, name.0));
        let (id, fresh) = match self.holder(slot) {
            Some(id) => (id, false),
            None => (self.push(kind, slot), true),
        };
        let temporary = matches!(&self.slots[slot.0 as usize].key.scope,
            Scope::Schema(schema) if schema.as_str() == "pg_temp");
        if temporary {
            self.object_mut(id).temporary = true;
            self.temporary.push(id);
        }
        self.claim(id, slot, name.1);
        self.touch(id, Aspect::Definition, Op::Write, name.1);
        self.settle(id, name.1);
        if !fresh {
            self.stand_on(id, name.1);
        }
        (id, fresh)
    }

    /// An object takes a name, or leaves it. That of a relation with rows is its row
    /// type's too.
    fn claim(&mut self, id: ObjectId, slot: SlotId, span: Span) {
        let object = self.object(id);
        if object.temporary {
            return;
        }
        let has_row_type = object.kind.is_relation()
            && !matches!(object.kind, Kind::Index | Kind::Sequence | Kind::PropertyGraph);
        self.touch_slot(slot, Op::Write, span);
        if has_row_type {
            let key = NameKey { class: Kind::Type, ..self.slots[slot.0 as usize].key.clone() };
            let slot = self.slot(key);
            self.touch_slot(slot, Op::Read, span);
        }
    }

    fn push(&mut self, kind: Kind, slot: SlotId) -> ObjectId {
        let id = self.new_object(kind, slot);
        let of_slot = &mut self.slots[slot.0 as usize];
        of_slot.holder = Some(id);
        of_slot.made = true;
        let assumed = of_slot.assumed.take();
        if matches!(kind, Kind::Constraint | Kind::Trigger | Kind::Policy) {
            self.parts_by_name.entry(of_slot.key.name.clone()).or_default().push(id);
        }
        assumed.into_iter().for_each(|it| self.replace_assumed(it, slot));
        self.assume_landed(id, slot);
        id
    }

    /// An object that has no name yet.
    pub(super) fn new_object(&mut self, kind: Kind, slot: SlotId) -> ObjectId {
        let id = ObjectId(u32::try_from(self.objects.len()).unwrap_or(u32::MAX));
        let detail = if kind.is_relation() && kind != Kind::Index {
            Detail::Relation(Box::default())
        } else {
            Detail::None
        };
        self.objects.push(Object {
            kind,
            slot,
            parent: None,
            dropped: false,
            temporary: false,
            given_away: self.other_role,
            parts: Vec::new(),
            dependents: Vec::new(),
            foundations: Vec::new(),
            detail,
        });
        id
    }

    /// A new object is in its schema from now on, and default privileges apply
    /// to it.
    fn settle(&mut self, id: ObjectId, span: Span) {
        if self.object(id).temporary {
            return;
        }
        if self.object(id).kind.has_privileges() {
            self.touch(self.defaults, Aspect::Privileges, Op::Read, span);
        }
        let Scope::Schema(schema) = self.key_of(id).scope.clone() else { return };
        let name = QName { schema: None, name: schema, span };
        if let Some(schema) = self.peek(Kind::Schema, &name) {
            self.touch(schema, Aspect::Definition, Op::Read, span);
            self.touch(schema, Aspect::Members, Op::Add, span);
            if self.other_role {
                self.touch(schema, Aspect::Privileges, Op::Read, span);
            }
        } else {
            self.find(Kind::Schema, &name, Absent::Missing);
        }
    }

    /// Makes `part` belong to `whole`.
    pub(super) fn attach(&mut self, whole: ObjectId, part: ObjectId) {
        self.object_mut(part).parent = Some(whole);
        if self.object(whole).temporary {
            self.object_mut(part).temporary = true;
        }
        if !self.object(whole).parts.contains(&part) {
            self.object_mut(whole).parts.push(part);
        }
    }

    /// Records that `dependent` cannot be without `on`.
    pub(super) fn depend(&mut self, dependent: ObjectId, on: ObjectId) {
        if dependent != on && !self.object(on).dependents.contains(&dependent) {
            self.object_mut(on).dependents.push(dependent);
            self.object_mut(dependent).foundations.push(on);
        }
    }

    /// Takes [`Self::depend`] back.
    pub(super) fn depend_no_more(&mut self, dependent: ObjectId, on: ObjectId) {
        self.object_mut(on).dependents.retain(|it| *it != dependent);
        self.object_mut(dependent).foundations.retain(|it| *it != on);
    }

    /// The same for all of `used` but columns: keys and indexes keep theirs themselves.
    pub(super) fn depend_on_all(
        &mut self,
        dependent: ObjectId,
        used: impl IntoIterator<Item = ObjectId>,
    ) {
        for object in used {
            if self.object(object).kind != Kind::Column {
                self.depend(dependent, object);
            }
        }
    }

    /// Whoever drops or changes an object does so while what it stands on is still
    /// there: behind that, it would be gone, or have kept the other from going.
    pub(super) fn stand_on(&mut self, id: ObjectId, span: Span) {
        let foundations = self.object(id).foundations.clone();
        let columns = match &self.object(id).detail {
            Detail::Index(it) => it.columns.clone(),
            Detail::Constraint(it) => it.columns.clone(),
            _ => Vec::new(),
        };
        for one in foundations.into_iter().chain(columns) {
            if !self.object(one).dropped {
                self.touch(one, Aspect::Definition, Op::Read, span);
            }
        }
    }

    /// Gives an object another name or place.
    pub(super) fn move_to(&mut self, id: ObjectId, scope: Scope, name: &Ident, span: Span) {
        let old = self.object(id).slot;
        let key = Self::key(self.object(id).kind, scope, name);
        let new = self.slot(key);
        self.slots[old.0 as usize].holder = None;
        self.next_numbers.clear();
        self.slots[new.0 as usize].holder = Some(id);
        self.slots[new.0 as usize].made = true;
        self.object_mut(id).slot = new;
        self.claim(id, old, span);
        self.claim(id, new, span);
        self.touch(id, Aspect::Definition, Op::Write, span);
    }

    /// An object leaves its schema for another.
    pub(super) fn leave_schema(&mut self, id: ObjectId, span: Span) {
        let Scope::Schema(schema) = self.key_of(id).scope.clone() else { return };
        let name = QName { schema: None, name: schema, span };
        if let Some(schema) = self.peek(Kind::Schema, &name) {
            self.touch(schema, Aspect::Members, Op::Add, span);
        }
    }

    /// Takes an object's name away.
    pub(super) fn vacate(&mut self, id: ObjectId, span: Span) {
        self.stand_on(id, span);
        let slot = self.object(id).slot;
        if self.holder(slot) == Some(id) {
            self.slots[slot.0 as usize].holder = None;
            self.next_numbers.clear();
        }
        self.claim(id, slot, span);
        self.touch(id, Aspect::Definition, Op::Write, span);
        self.object_mut(id).dropped = true;
    }

    /// A name like `wanted` that is free: `t_a_key`, `t_a_key1` …
    /// (`ChooseRelationName` in `src/backend/commands/indexcmds.c`).
    pub(super) fn free_name(&mut self, kind: Kind, scope: &Scope, wanted: &Ident) -> Ident {
        let first = Self::key(kind, scope.clone(), wanted);
        let mut number = self.next_numbers.get(&first).copied().unwrap_or_default();
        loop {
            let name = numbered(wanted, number);
            let slot = self.by_name.get(&Self::key(kind, scope.clone(), &name)).copied();
            let Some(slot) = slot.filter(|slot| self.holder(*slot).is_some()) else {
                self.next_numbers.insert(first, number);
                return name;
            };
            // Whoever has the name decides how this one is called.
            self.touch_slot(slot, Op::Read, self.statement);
            number += 1;
        }
    }
}
