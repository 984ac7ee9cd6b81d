//! Everything that has no form of its own.

use super::Catalogue;
use super::names::Absent;
use super::object::{Detail, Scope, Trigger};
use crate::model::Span;
use crate::sql::act::{
    Alteration, AlteredAspect, Creation, Locking, Maintenance, Moving, Renaming, RowAccess,
    TableList, Uses,
};
use crate::sql::extension;
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::{Kind, Scoping};
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName};

impl Catalogue {
    pub(super) fn create_other(&mut self, new: &Creation) {
        let span = new.name.span;
        let table = new.on.as_ref().and_then(|on| self.wanted(Kind::Table, on));
        if new.kind.scoping() == Scoping::Parent && table.is_none() {
            return;
        }
        let used = match table {
            Some(table) => self.refer_within(table, &new.uses),
            None => self.refer(&new.uses),
        };
        if new.kind == Kind::Policy {
            self.lock_read(&new.uses);
        }
        let scope = match (new.kind.scoping(), table) {
            (Scoping::Parent, Some(table)) => Scope::Of(table),
            (Scoping::Schema, _) => self.home(new.kind, &new.name, false),
            _ => Scope::Global,
        };
        let (id, _) = self.make(new.kind, scope, (&new.name.name, span));
        for object in used {
            if Some(object) != table {
                self.depend(id, object);
            }
            // Who has a value of the type may be cast from now on.
            if new.kind == Kind::Cast && self.object(object).kind == Kind::Type {
                self.touch(object, Aspect::Definition, Op::Write, span);
            }
        }
        if let Some(table) = table {
            self.on_table(id, table, new);
        }
        match new.kind {
            Kind::Extension => self.provide(id, new),
            Kind::EventTrigger => self.event_triggers.push(id),
            Kind::Publication => self.publish(&new.uses, span),
            _ => {}
        }
    }

    /// Rows of a published table are changed only when something tells them apart
    /// (<https://www.postgresql.org/docs/current/logical-replication-publication.html>).
    fn publish(&mut self, uses: &Uses, span: Span) {
        let tables = uses.relations.iter().filter_map(|it| self.peek(Kind::Table, &it.name));
        let tables: Vec<_> = tables.collect();
        for table in
            tables.iter().flat_map(|it| [self.heirs(*it), vec![*it]].concat()).collect::<Vec<_>>()
        {
            self.touch(table, Aspect::Behaviour, Op::Write, span);
        }
        if tables.is_empty() {
            self.touch(self.publications, Aspect::Behaviour, Op::Write, span);
        }
    }

    /// An object belongs to `role` from now on, and keeps it from being dropped.
    pub(super) fn give_to(&mut self, id: ObjectId, role: Option<&QName>, span: Span) {
        self.stand_on(id, span);
        self.touch(id, Aspect::Privileges, Op::Write, span);
        self.object_mut(id).given_away = role.is_some();
        if let Some(role) = role.and_then(|role| self.find(Kind::Role, role, Absent::Missing)) {
            self.use_of(role, span);
            self.depend(id, role);
        }
    }

    /// The tables of a query that is only stored stay open for reading until the end.
    pub(super) fn lock_read(&mut self, uses: &Uses) {
        for relation in &uses.relations {
            if let Some(id) = self.peek(Kind::Table, &relation.name) {
                self.lock(id, LockMode::AccessShare, relation.name.span);
            }
        }
    }

    /// Triggers, policies, rules and statistics lock their table.
    fn on_table(&mut self, id: ObjectId, table: ObjectId, new: &Creation) {
        let span = new.name.span;
        self.use_of(table, span);
        self.lock(table, new.lock, span);
        if new.kind != Kind::Statistics {
            self.touch(table, Aspect::Behaviour, Op::Add, span);
        }
        self.attach(table, id);
        if new.kind == Kind::Trigger {
            for heir in self.heirs(table) {
                self.touch(heir, Aspect::Behaviour, Op::Add, span);
            }
            let mut trigger = Trigger::default();
            if let Some((name, arguments)) = &new.call {
                trigger.arguments.clone_from(arguments);
                trigger.function = self.find(Kind::Routine, name, Absent::Missing);
            }
            if let Some(function) = trigger.function {
                self.use_of(function, span);
                self.depend(id, function);
            }
            self.object_mut(id).detail = Detail::Trigger(trigger);
        }
        if new.kind == Kind::Rule {
            self.object_mut(id).detail = Detail::Rule(new.body.clone());
        }
    }

    /// The objects of a contrib extension, as far as they are known.
    fn provide(&mut self, id: ObjectId, new: &Creation) {
        let schema = new.uses.objects.iter().find(|(kind, _)| *kind == Kind::Schema);
        let home = match schema {
            Some((_, schema)) => Scope::Schema(schema.name.clone()),
            None => self.home(new.kind, &QName { schema: None, ..new.name.clone() }, false),
        };
        for name in extension::required(new.name.name.as_str()) {
            let name = QName { schema: None, name: Ident::new(name), span: new.name.span };
            if let Some(other) = self.peek(Kind::Extension, &name) {
                self.use_of(other, name.span);
                self.depend(id, other);
            }
        }
        if extension::objects(new.name.name.as_str()).next().is_none() {
            self.unknown_extensions.push(id);
        }
        for (kind, name) in extension::objects(new.name.name.as_str()) {
            let scope = match kind.scoping() {
                Scoping::Global => Scope::Global,
                _ => home.clone(),
            };
            let (object, fresh) = self.make(kind, scope, (&Ident::new(name), new.name.span));
            if fresh {
                self.attach(id, object);
            }
            self.open(object);
        }
    }

    /// An object by its kind, name and table.
    fn subject(&mut self, kind: Kind, name: &QName, on: Option<&QName>) -> Option<ObjectId> {
        match (kind.scoping(), on) {
            (Scoping::Parent, Some(on)) => {
                let owner = self.peek(Kind::Table, on).or_else(|| self.peek(Kind::Type, on));
                let owner = owner.or_else(|| self.wanted(Kind::Table, on))?;
                self.use_of(owner, on.span);
                self.find_part(owner, kind, (&name.name, name.span), Absent::Missing)
            }
            (Scoping::Parent, None) => None,
            _ => self.wanted(kind, name),
        }
    }

    pub(super) fn alter_other(&mut self, change: &Alteration) {
        let span = change.name.span;
        let found = self.subject(change.kind, &change.name, change.on.as_ref());
        let used = self.refer(&change.uses);
        let Some(id) = found else {
            self.change_unknown(change.kind, &change.name, Op::Write);
            return;
        };
        self.stand_on(id, span);
        if change.kind == Kind::Policy {
            self.lock_read(&change.uses);
        }
        used.iter().for_each(|it| self.depend(id, *it));
        if change.kind == Kind::Type && change.aspect == AlteredAspect::Definition {
            self.check_values_of(id, span);
        }
        let holder = match self.object(id).parent {
            Some(parent) if change.kind.scoping() == Scoping::Parent => parent,
            _ => id,
        };
        let is_relation = self.relation(holder).is_some() && self.object(holder).kind.is_relation();
        if is_relation || self.object(holder).kind == Kind::Index {
            self.lock(holder, comment_lock(change), span);
        }
        let (aspect, op) = match change.aspect {
            AlteredAspect::Definition => (Aspect::Definition, Op::Write),
            AlteredAspect::Owner => (Aspect::Privileges, Op::Write),
            AlteredAspect::Comment => (Aspect::Comment, Op::Write),
        };
        self.use_of(id, span);
        self.touch(id, aspect, op, span);
        if change.aspect == AlteredAspect::Owner {
            let roles = change.uses.objects.iter();
            let role = roles.map(|(_, name)| name).next();
            self.give_to(id, role, span);
        }
        if change.kind == Kind::Publication {
            self.publish(&change.uses, span);
        }
        let behaves = matches!(change.kind, Kind::Policy | Kind::Trigger | Kind::Rule);
        if behaves && change.aspect == AlteredAspect::Definition {
            self.touch(holder, Aspect::Behaviour, Op::Add, span);
        }
    }

    /// Roles and databases are mostly there before the first migration; their settings
    /// are one row each.
    pub(super) fn change_unknown(&mut self, kind: Kind, name: &QName, op: Op) {
        if matches!(kind, Kind::Role | Kind::Database | Kind::LargeObject) {
            self.change_name(kind, name, op);
        }
    }

    /// What a domain demands is demanded of the rows with a value of it.
    fn check_values_of(&mut self, domain: ObjectId, span: Span) {
        let columns = self.object(domain).dependents.iter().copied();
        let tables: Vec<_> = columns
            .filter(|it| self.object(*it).kind == Kind::Column)
            .filter_map(|it| self.object(it).parent)
            .collect();
        for table in tables {
            self.check_rows(table, &[], span);
            self.touch(table, Aspect::Rows, Op::Read, span);
        }
    }

    pub(super) fn rename(&mut self, renaming: &Renaming) {
        let span = renaming.name.span;
        let Some(id) = self.subject(renaming.kind, &renaming.name, renaming.on.as_ref()) else {
            return;
        };
        if renaming.kind == Kind::Schema {
            self.rename_schema(id, &renaming.to);
        }
        if let Some(table) = self.object(id).parent.filter(|it| self.relation(*it).is_some()) {
            self.lock(table, LockMode::AccessExclusive, span);
            if renaming.kind == Kind::Trigger {
                // Triggers fire in the order of their names.
                self.touch(table, Aspect::Behaviour, Op::Write, span);
            }
        }
        let scope = self.key_of(id).scope.clone();
        self.move_to(id, scope, &renaming.to, span);
    }

    /// Everything in a schema is called by its new name from now on.
    fn rename_schema(&mut self, id: ObjectId, to: &Ident) {
        for object in self.contents(self.name_of(id)) {
            let name = self.name_of(object).clone();
            self.move_to(object, Scope::Schema(to.clone()), &name, self.statement);
        }
    }

    pub(super) fn set_schema(&mut self, moving: &Moving) {
        let span = moving.name.span;
        let Some(id) = self.wanted(moving.kind, &moving.name) else { return };
        let schema = QName { schema: None, name: moving.schema.clone(), span };
        if let Some(schema) = self.wanted(Kind::Schema, &schema) {
            self.touch(schema, Aspect::Definition, Op::Read, span);
            self.touch(schema, Aspect::Members, Op::Add, span);
        }
        let parts = match moving.kind {
            Kind::Extension => self.object(id).parts.clone(),
            _ => vec![id],
        };
        self.touch(id, Aspect::Definition, Op::Write, span);
        for part in parts {
            self.leave_schema(part, span);
            let name = self.name_of(part).clone();
            self.move_to(part, Scope::Schema(moving.schema.clone()), &name, span);
        }
    }

    pub(super) fn truncate(&mut self, list: &TableList) {
        let mut pending = Vec::new();
        for name in &list.names {
            if let Some(id) = self.wanted(Kind::Table, name) {
                self.use_of(id, name.span);
                pending.push((id, name.span));
            }
        }
        let mut done = Vec::new();
        while let Some((id, span)) = pending.pop() {
            if done.contains(&id) {
                continue;
            }
            done.push(id);
            // Who is pointed to is not emptied alone.
            self.touch(id, Aspect::References, Op::Read, span);
            self.access_rows(id, &RowAccess::Write, span);
            if list.restart {
                let columns = self.columns_of(id).into_iter();
                let sequences: Vec<_> = columns.flat_map(|it| self.sequences_of(it)).collect();
                sequences.into_iter().for_each(|it| self.take_number(it, span));
            }
            self.lock(id, LockMode::AccessExclusive, span);
            let (keys, children) = self
                .relation(id)
                .map(|it| (it.referenced_by.clone(), it.children.clone()))
                .unwrap_or_default();
            pending.extend(children.into_iter().map(|child| (child, span)));
            if list.cascade {
                let tables = keys.into_iter().filter_map(|key| self.object(key).parent);
                pending.extend(tables.map(|table| (table, span)));
            }
        }
    }

    pub(super) fn lock_tables(&mut self, locking: &Locking) {
        for name in &locking.names {
            let Some(id) = self.wanted(locking.kind, name) else { continue };
            self.use_of(id, name.span);
            self.lock(id, locking.mode, name.span);
            match locking.what {
                Maintenance::Lock | Maintenance::Keep => {}
                Maintenance::Reindex(concurrently) => {
                    self.reindex(id, locking.mode, concurrently, name);
                }
                Maintenance::Cluster => self.touch(id, Aspect::Behaviour, Op::Write, name.span),
                Maintenance::Refresh => {
                    if locking.mode == LockMode::Exclusive {
                        // CONCURRENTLY needs a unique index.
                        self.touch(id, Aspect::Constraints, Op::Read, name.span);
                    }
                    self.refresh(id, name);
                }
            }
        }
    }

    /// An index is rebuilt under a lock on its table, and the other way round.
    fn reindex(&mut self, id: ObjectId, mode: LockMode, concurrently: bool, name: &QName) {
        let span = name.span;
        let table = match (self.object(id).kind, self.object(id).parent) {
            (Kind::Index, Some(table)) => {
                let theirs = if concurrently { mode } else { LockMode::Share };
                self.lock(table, theirs, span);
                table
            }
            _ => id,
        };
        if concurrently {
            self.now.concurrent.push((table, span));
        }
    }

    fn refresh(&mut self, id: ObjectId, name: &QName) {
        self.touch(id, Aspect::Rows, Op::Write, name.span);
        self.touch(id, Aspect::Checked, Op::Add, name.span);
        self.touch(id, Aspect::Behaviour, Op::Read, name.span);
        let used = self.object(id).foundations.clone();
        self.execute_all(&used, name.span);
        let sources = self.relation(id).map(|it| it.sources.clone()).unwrap_or_default();
        for source in sources {
            self.access_rows(source, &RowAccess::Read, name.span);
        }
    }
}

/// A comment on what belongs to a table opens the table for reading only; one on
/// a column or the table itself keeps others from changing it
/// (`get_object_address` in `src/backend/catalog/objectaddress.c`).
fn comment_lock(change: &Alteration) -> LockMode {
    let of_table = change.kind.scoping() == Scoping::Parent && change.kind != Kind::Column;
    if change.aspect == AlteredAspect::Comment && of_table {
        LockMode::AccessShare
    } else {
        change.lock
    }
}
