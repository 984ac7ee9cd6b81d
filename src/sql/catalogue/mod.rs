//! A catalogue made of nothing but the scripts' own words.
//!
//! It is told of one script after another ([`Catalogue::replay`]) and keeps what
//! each has made, renamed and dropped, so that the next one's names can be looked
//! up. It starts as an empty database does: with the schema `public` and what the
//! server itself provides.

mod assumed;
mod calls;
mod changes;
mod constraints;
mod describe;
mod drops;
mod effects;
mod names;
mod object;
mod others;
mod privileges;
mod questions;
mod reach;
mod routines;
mod rows;
mod tables;
mod triggers;
mod uses;
mod views;

use std::collections::HashSet;

use rustc_hash::FxHashMap;

use self::names::Absent;
use self::object::{NameKey, Object, Scope, Slot};
use self::triggers::Fired;
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
    /// Constraints, triggers and policies by their first names.
    parts_by_name: FxHashMap<Ident, Vec<ObjectId>>,
    /// Stands for the default privileges of all roles.
    defaults: ObjectId,
    /// Stands for the publications of tables that they do not name.
    publications: ObjectId,
    /// Stands for the tables that no script made: foreign keys and triggers that nobody
    /// knows may tie their rows together.
    made_elsewhere: ObjectId,
    /// Extensions of which nobody knows what they bring along.
    unknown_extensions: Vec<ObjectId>,
    /// Event triggers, which see what is made, changed and dropped.
    event_triggers: Vec<ObjectId>,
    /// True while the present script acts as another role than the one that runs it.
    other_role: bool,
    /// Stands for all that nobody can name: what an opaque statement may touch.
    anything: ObjectId,
    /// Where the numbers behind a name that the server makes up go on: all before are
    /// taken, since this script began and until a name becomes free.
    next_numbers: FxHashMap<NameKey, u32>,
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
    /// What triggers do, by trigger and table.
    fired: FxHashMap<(ObjectId, ObjectId), Fired>,
    /// What ends with the present script.
    temporary: Vec<ObjectId>,
    /// The present statement.
    statement: Span,
    /// True while it is not certain that what is read happens, as behind `IF` and
    /// `IF NOT EXISTS`: what is dropped then stays known, because what comes later may
    /// still mean it.
    perhaps: bool,
}

impl Default for Catalogue {
    fn default() -> Self {
        let mut catalogue = Self {
            objects: Vec::new(),
            slots: Vec::new(),
            by_name: FxHashMap::default(),
            labels: FxHashMap::default(),
            parts_by_name: FxHashMap::default(),
            defaults: ObjectId(0),
            anything: ObjectId(1),
            publications: ObjectId(2),
            made_elsewhere: ObjectId(3),
            unknown_extensions: Vec::new(),
            event_triggers: Vec::new(),
            other_role: false,
            next_numbers: FxHashMap::default(),
            path: vec![Ident::new("public")],
            now: Footprint::default(),
            soft: false,
            calls: Vec::new(),
            called: HashSet::new(),
            followed: HashSet::new(),
            fired: FxHashMap::default(),
            temporary: Vec::new(),
            statement: Span::default(),
            perhaps: false,
        };
        let mut global = |kind, name| {
            catalogue.make(kind, Scope::Global, (&Ident::new(name), Span::default()));
        };
        global(Kind::DefaultPrivileges, "default privileges");
        global(Kind::Database, "*");
        global(Kind::Publication, "*");
        global(Kind::Database, "(made elsewhere)");
        global(Kind::Schema, "public");
        for language in ["plpgsql", "sql", "c", "internal"] {
            global(Kind::Language, language);
        }
        global(Kind::Role, "public");
        catalogue.now = Footprint::default();
        catalogue
    }
}

impl Catalogue {
    /// Applies a script and says what it touches.
    pub fn replay(&mut self, script: &[Reading]) -> Footprint {
        self.path = vec![Ident::new("public")];
        self.other_role = false;
        self.forget_temporary();
        self.next_numbers.clear();
        for reading in script {
            self.statement = reading.span;
            self.called.clear();
            self.followed.clear();
            self.apply_all(&reading.acts);
            if !self.event_triggers.is_empty() && reading.acts.iter().any(Act::is_definition) {
                self.report();
            }
        }
        let here = script.first().map_or(Span::default(), |first| first.span);
        let opaque = self.now.opaque.iter().find(|remark| !remark.soft).copied();
        let (op, span) = opaque.map_or((Op::Read, here), |remark| (Op::Write, remark.span));
        self.touch(self.anything, Aspect::Definition, op, span);
        let mut now = std::mem::take(&mut self.now);
        now.settle_names(|slot| self.is_gone(slot));
        now
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
        self.perhaps_if(act.is_guarded(), |catalogue| catalogue.apply_surely(act));
    }

    fn apply_surely(&mut self, act: &Act) {
        match act {
            Act::Use(uses) => self.run(uses),
            Act::Call(call) => self.call_with(call),
            Act::CreateTable(table) => self.create_table(table),
            Act::AlterRelation(alter) => self.alter_relation(alter),
            Act::CreateIndex(index) => self.create_index(index),
            Act::CreateView(view) => self.create_view(view),
            Act::CreateRoutine(routine) => self.create_routine(routine),
            Act::RoutinePath(name, path) => self.set_own_path(name, path),
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
            Act::Role(other) => self.other_role = *other,
            Act::Block(acts) | Act::Perhaps(acts) => self.apply_all(acts),
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

    pub(super) fn remark_opaque(&mut self, why: &'static str, span: Span, soft: bool) {
        let remark = Remark { why, span: self.place(span), soft };
        if !self.now.opaque.contains(&remark) {
            self.now.opaque.push(remark);
        }
    }

    /// Event triggers are told of a definition.
    fn report(&mut self) {
        for trigger in self.event_triggers.clone() {
            if !self.object(trigger).dropped {
                self.use_of(trigger, self.statement);
                let functions = self.routines_below(trigger);
                functions.into_iter().for_each(|it| self.execute(it, self.statement));
            }
        }
    }

    /// A schema that is not there is passed over: what is made later in it, or found,
    /// is another's.
    fn set_path(&mut self, path: &SearchPath) {
        self.path = path.searched();
        for schema in self.path.clone() {
            let name = super::name::QName { schema: None, name: schema, span: self.statement };
            if let Some(schema) = self.find(Kind::Schema, &name, Absent::Fine) {
                self.touch(schema, Aspect::Definition, Op::Read, self.statement);
            }
        }
    }

    /// Where the present script says so: a function's body stands elsewhere, and its
    /// call is what counts.
    fn place(&self, span: Span) -> Span {
        if self.calls.is_empty() { span } else { self.statement }
    }

    /// Where `uncertain`, marks everything in `work` as what may not happen.
    fn perhaps_if<T>(&mut self, uncertain: bool, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.perhaps;
        self.perhaps |= uncertain;
        let result = work(self);
        self.perhaps = before;
        result
    }

    /// Marks everything that happens in `work` as said by a body only, or as a guess.
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
