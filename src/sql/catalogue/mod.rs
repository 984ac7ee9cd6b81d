//! A catalogue made of nothing but the scripts' own words.
//!
//! It is told of one script after another ([`Catalogue::replay`]) and keeps what
//! each has made, renamed and dropped, so that the next one's names can be looked
//! up. It starts as an empty database does: with the schema `public` and what the
//! server itself provides.

mod calls;
mod changes;
mod constraints;
mod describe;
mod drops;
mod names;
mod object;
mod others;
mod privileges;
mod reach;
mod routines;
mod rows;
mod tables;
mod uses;
mod views;

use std::collections::HashSet;

use rustc_hash::FxHashMap;

use self::names::Absent;
use self::object::{NameKey, Object, Scope, Slot};
use super::act::{Act, Argument, Reading, SearchPath};
use super::footprint::{Aspect, Footprint, ObjectId, Op, Remark, SlotId};
use super::kind::Kind;
use super::name::Ident;
use crate::model::Span;

/// A symbolic catalogue; see the module's text.
#[derive(Debug)]
pub struct Catalogue {
    objects: Vec<Object>,
    slots: Vec<Slot>,
    by_name: FxHashMap<NameKey, SlotId>,
    /// Enum values by their text.
    labels: FxHashMap<Ident, Vec<ObjectId>>,
    /// Constraints by their first names.
    constraints: FxHashMap<Ident, Vec<ObjectId>>,
    /// Stands for the default privileges of all roles.
    defaults: ObjectId,
    /// Stands for all that nobody can name: what an opaque statement may touch.
    anything: ObjectId,
    /// The search path of the present script.
    path: Vec<Ident>,
    /// What the present script has touched so far.
    now: Footprint,
    /// True while the body of a function is read that nobody has called.
    soft: bool,
    /// The functions that are being called.
    calls: Vec<ObjectId>,
    /// Those that the present statement has called already: twice is no more.
    called: HashSet<ObjectId>,
    /// The calls whose arguments were looked at.
    followed: HashSet<(ObjectId, Vec<Argument>)>,
    /// What ends with the present script.
    temporary: Vec<ObjectId>,
    /// The present statement.
    statement: Span,
    /// True while it is not certain that what is read happens: what is dropped then
    /// stays known, because what comes later may still mean it.
    perhaps: bool,
}

impl Default for Catalogue {
    fn default() -> Self {
        let mut catalogue = Self {
            objects: Vec::new(),
            slots: Vec::new(),
            by_name: FxHashMap::default(),
            labels: FxHashMap::default(),
            constraints: FxHashMap::default(),
            defaults: ObjectId(0),
            anything: ObjectId(1),
            path: vec![Ident::new("public")],
            now: Footprint::default(),
            soft: false,
            calls: Vec::new(),
            called: HashSet::new(),
            followed: HashSet::new(),
            temporary: Vec::new(),
            statement: Span::default(),
            perhaps: false,
        };
        let mut global = |kind, name| {
            catalogue.make(kind, Scope::Global, (&Ident::new(name), Span::default())).0
        };
        let (defaults, anything) =
            (global(Kind::DefaultPrivileges, "default privileges"), global(Kind::Database, "*"));
        global(Kind::Schema, "public");
        for language in ["plpgsql", "sql", "c", "internal"] {
            global(Kind::Language, language);
        }
        global(Kind::Role, "public");
        (catalogue.defaults, catalogue.anything) = (defaults, anything);
        catalogue.now = Footprint::default();
        catalogue
    }
}

impl Catalogue {
    /// Applies a script and says what it touches.
    pub fn replay(&mut self, script: &[Reading]) -> Footprint {
        self.path = vec![Ident::new("public")];
        self.forget_temporary();
        for reading in script {
            self.statement = reading.span;
            self.called.clear();
            self.followed.clear();
            self.apply_all(&reading.acts);
        }
        let here = script.first().map_or(Span::default(), |first| first.span);
        let opaque = self.now.opaque.iter().find(|remark| !remark.soft).copied();
        let (op, span) = opaque.map_or((Op::Read, here), |remark| (Op::Write, remark.span));
        self.touch(self.anything, Aspect::Definition, op, span);
        std::mem::take(&mut self.now)
    }

    /// Temporary objects end with the session that made them.
    fn forget_temporary(&mut self) {
        for id in std::mem::take(&mut self.temporary) {
            let slot = self.object(id).slot;
            self.slots[slot.0 as usize].holder = None;
        }
    }

    fn apply_all(&mut self, acts: &[Act]) {
        acts.iter().for_each(|act| self.apply(act));
    }

    fn apply(&mut self, act: &Act) {
        match act {
            Act::Use(uses) => self.run(uses),
            Act::Call(call) => self.call_with(call),
            Act::CreateTable(table) => self.create_table(table),
            Act::AlterRelation(alter) => self.alter_relation(alter),
            Act::CreateIndex(index) => self.create_index(index),
            Act::CreateView(view) => self.create_view(view),
            Act::CreateRoutine(routine) => self.create_routine(routine),
            Act::CreateType(ty) => self.create_type(ty),
            Act::CreateSequence(sequence) => self.create_sequence(sequence),
            Act::EnumValue(change) => self.change_enum(change),
            Act::Create(creation) => self.create_other(creation),
            Act::Drop(removal) => self.drop_all(removal),
            Act::Rename(renaming) => self.rename(renaming),
            Act::SetSchema(moving) => self.set_schema(moving),
            Act::Alter(alteration) => self.alter_other(alteration),
            Act::Truncate(list) => self.truncate(list),
            Act::Lock(locking) => self.lock_tables(locking),
            Act::Grant(grant) => self.grant(grant),
            Act::SearchPath(path) => self.set_path(path),
            Act::Block(acts) => self.apply_all(acts),
            Act::Perhaps(acts) => {
                let before = std::mem::replace(&mut self.perhaps, true);
                self.apply_all(acts);
                self.perhaps = before;
            }
            Act::Barrier(why, span) => {
                let remark = Remark { why, span: self.place(*span), soft: self.soft };
                self.now.barriers.push(remark);
                if why.contains("default privileges") {
                    self.touch(self.defaults, Aspect::Privileges, Op::Write, *span);
                }
            }
            Act::Opaque(why, span) => self.remark_opaque(why, *span, self.soft),
        }
    }

    fn remark_opaque(&mut self, why: &'static str, span: Span, soft: bool) {
        let remark = Remark { why, span: self.place(span), soft };
        if !self.now.opaque.contains(&remark) {
            self.now.opaque.push(remark);
        }
    }

    /// `pg_catalog` is searched first anyway.
    fn set_path(&mut self, path: &SearchPath) {
        let named = |schema: &Ident| !matches!(schema.as_str(), "pg_catalog" | "$user");
        self.path = match &path.schemas {
            Some(schemas) => schemas.iter().filter(|it| named(it)).cloned().collect(),
            None => vec![Ident::new("public")],
        };
    }

    /// Where the present script says so: a function's body stands elsewhere, and its
    /// call is what counts.
    fn place(&self, span: Span) -> Span {
        if self.calls.is_empty() { span } else { self.statement }
    }

    /// Marks everything that happens in `work` as said by a body only.
    fn softly(&mut self, work: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.soft, true);
        work(self);
        self.soft = before;
    }

    /// What a name stands for, where its absence is worth a note.
    fn wanted(&mut self, kind: Kind, name: &super::name::QName) -> Option<ObjectId> {
        self.find(kind, name, Absent::Missing)
    }
}
