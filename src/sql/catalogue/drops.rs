//! What a `DROP` takes with it.

use super::Catalogue;
use super::names::Absent;
use super::object::{Body, Detail};
use crate::model::Span;
use crate::sql::act::Removal;
use crate::sql::footprint::{Aspect, ObjectId, Op, Remark};
use crate::sql::kind::{Kind, Scoping};
use crate::sql::lock::LockMode;
use crate::sql::name::QName;

impl Catalogue {
    pub(super) fn drop_all(&mut self, removal: &Removal) {
        for (place, name) in removal.names.iter().enumerate() {
            let signature = removal.signatures.get(place).and_then(Option::as_deref);
            self.drop_named(removal, name, signature);
        }
        let span = removal.names.first().map_or(self.statement, |name| name.span);
        if removal.kind.is_unprotected() {
            self.barrier("it drops what the server does not lock", span);
        } else if removal.cascade {
            self.barrier("CASCADE drops what is not named", span);
        }
    }

    fn barrier(&mut self, why: &'static str, span: Span) {
        let remark = Remark { why, span: self.place(span), soft: self.soft };
        self.now.barriers.push(remark);
    }

    fn drop_named(&mut self, removal: &Removal, name: &QName, signature: Option<&str>) {
        let absent = if removal.if_exists { Absent::Fine } else { Absent::Missing };
        let Some(id) = self.target(removal, name, absent) else {
            if removal.kind == Kind::Routine && !removal.if_exists {
                self.change_name(removal.kind, name, Op::Write);
            }
            return;
        };
        if removal.concurrently {
            if let Some(table) = self.object(id).parent {
                self.lock(table, LockMode::ShareUpdateExclusive, name.span);
                self.lock(id, LockMode::ShareUpdateExclusive, name.span);
                self.now.concurrent.push((table, name.span));
            }
            self.vacate_tree(id, removal.cascade, name.span);
            return;
        }
        if removal.kind == Kind::Routine && self.drop_overload(id, signature) {
            self.touch(id, Aspect::Definition, Op::Write, name.span);
            return;
        }
        self.drop_object(id, removal.cascade, name.span);
    }

    fn target(&mut self, removal: &Removal, name: &QName, absent: Absent) -> Option<ObjectId> {
        let Some(table) = &removal.on else {
            // A domain, enum or composite type is a type; a view is a relation.
            return self.find(removal.kind, name, absent);
        };
        if removal.kind.scoping() != Scoping::Parent {
            return self.find(removal.kind, name, absent);
        }
        let table = self.find_or_assume(Kind::Table, table, absent)?;
        self.use_of(table, name.span);
        self.find_part(table, removal.kind, (&name.name, name.span), absent)
    }

    /// True when other functions of this name stay.
    fn drop_overload(&mut self, id: ObjectId, signature: Option<&str>) -> bool {
        match &mut self.object_mut(id).detail {
            Detail::Routine(routine) if routine.bodies.len() > 1 => {
                let is_it = |body: &Body| Some(body.signature.as_str()) == signature;
                match routine.bodies.iter().position(is_it) {
                    Some(at) => drop(routine.bodies.remove(at)),
                    None => drop(routine.bodies.pop()),
                }
                true
            }
            _ => false,
        }
    }

    /// Drops an object with what belongs to it, and with `cascade` what depends on
    /// it; takes the locks of `RemoveRelations` and `performDeletion`.
    pub(super) fn drop_object(&mut self, id: ObjectId, cascade: bool, span: Span) {
        self.lock_for_drop(id, span);
        self.vacate_tree(id, cascade, span);
    }

    fn vacate_tree(&mut self, id: ObjectId, cascade: bool, span: Span) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            if self.object(id).dropped {
                continue;
            }
            pending.extend(self.object(id).parts.iter().copied());
            pending.extend(self.go_with(id));
            if cascade {
                let dependents = self.object(id).dependents.clone();
                pending.extend(dependents.into_iter().filter(|it| self.goes_by_cascade(id, *it)));
            }
            self.lock_for_drop(id, span);
            if self.perhaps {
                self.stand_on(id, span);
                self.touch(id, Aspect::Definition, Op::Write, span);
                break;
            }
            self.leave_schema(id, span);
            if self.object(id).kind == Kind::Schema {
                // Nothing may be left in it.
                self.touch(id, Aspect::Members, Op::Read, span);
            }
            self.vacate(id, span);
            self.unlink(id);
        }
    }

    /// A column goes with its type, and a generated one with a column that it is made
    /// of. Of a dropped function, its default goes but not the column.
    fn goes_by_cascade(&self, dropped: ObjectId, dependent: ObjectId) -> bool {
        let is_column = self.object(dependent).kind == Kind::Column;
        let takes_columns = matches!(
            self.object(dropped).kind,
            Kind::Type | Kind::Table | Kind::Extension | Kind::Column
        );
        !is_column || takes_columns
    }

    /// What goes without being asked for: indexes and constraints over a column,
    /// a key's index, a schema's contents, children of a dropped partitioned table.
    fn go_with(&self, id: ObjectId) -> Vec<ObjectId> {
        match (&self.object(id).detail, self.object(id).parent) {
            (Detail::Column(_), Some(table)) => {
                let over = |part: &&ObjectId| match &self.object(**part).detail {
                    Detail::Index(it) => it.columns.contains(&id),
                    Detail::Constraint(it) => it.columns.contains(&id),
                    _ => false,
                };
                self.object(table).parts.iter().filter(over).copied().collect()
            }
            (Detail::Constraint(it), _) => it.index.into_iter().collect(),
            (Detail::Relation(it), _) => {
                let partitions = it.children.iter().copied();
                partitions
                    .filter(|child| self.relation(*child).is_some_and(|it| it.partition))
                    .collect()
            }
            _ if self.object(id).kind == Kind::Schema => self.contents(self.name_of(id)),
            _ => Vec::new(),
        }
    }

    fn lock_for_drop(&mut self, id: ObjectId, span: Span) {
        let kind = self.object(id).kind;
        if kind.is_relation() {
            self.lock(id, LockMode::AccessExclusive, span);
        }
        let parent = self.object(id).parent;
        let of_table = matches!(
            kind,
            Kind::Index
                | Kind::Constraint
                | Kind::Trigger
                | Kind::Policy
                | Kind::Rule
                | Kind::Column
        );
        if let Some(table) = parent.filter(|_| of_table)
            && self.relation(table).is_some()
        {
            self.lock(table, LockMode::AccessExclusive, span);
            let demands = match &self.object(id).detail {
                Detail::Index(it) => it.demanding,
                Detail::Column(it) => it.demanding || it.ty.is_some(),
                _ => true,
            };
            if kind == Kind::Trigger {
                for heir in self.heirs(table) {
                    self.touch(heir, Aspect::Behaviour, Op::Add, span);
                }
            }
            if demands {
                self.touch(table, Aspect::Behaviour, Op::Add, span);
                self.touch(table, Aspect::Constraints, Op::Add, span);
            }
        }
        if kind == Kind::Statistics {
            parent.into_iter().for_each(|it| self.lock(it, LockMode::ShareUpdateExclusive, span));
        }
        let partition = self.relation(id).filter(|it| it.partition);
        for whole in partition.map(|it| it.parents.clone()).unwrap_or_default() {
            self.lock(whole, LockMode::AccessExclusive, span);
            self.touch(whole, Aspect::Members, Op::Write, span);
        }
        for whole in self.relation(id).map(|it| it.parents.clone()).unwrap_or_default() {
            self.touch(whole, Aspect::Rows, Op::Write, span);
        }
        if let Detail::Constraint(it) = &self.object(id).detail
            && let Some(table) = it.foreign
        {
            self.lock(table, LockMode::AccessExclusive, span);
            self.touch(table, Aspect::Behaviour, Op::Add, span);
            self.touch(table, Aspect::References, Op::Add, span);
        }
        self.end_of_meaning(id, span);
    }

    /// What a column, a key, a cast or a publication meant for others ends with it.
    fn end_of_meaning(&mut self, id: ObjectId, span: Span) {
        if let Detail::Column(it) = &self.object(id).detail
            && let Some(ty) = it.ty
        {
            self.touch(ty, Aspect::References, Op::Add, span);
        }
        if let Detail::Constraint(it) = &self.object(id).detail
            && it.primary
        {
            // They may be NULL again, when they are told so.
            let columns = it.columns.clone();
            columns.into_iter().for_each(|it| self.touch(it, Aspect::Behaviour, Op::Read, span));
        }
        let (kind, aspect) = match self.object(id).kind {
            Kind::Cast => (Kind::Type, Aspect::Definition),
            Kind::Publication => {
                self.touch(self.publications, Aspect::Behaviour, Op::Write, span);
                (Kind::Table, Aspect::Behaviour)
            }
            _ => return,
        };
        for below in self.object(id).foundations.clone() {
            if self.object(below).kind == kind {
                self.touch(below, aspect, Op::Write, span);
            }
        }
    }

    /// Forgets a dropped object where others remember it.
    fn unlink(&mut self, id: ObjectId) {
        if let Some(parent) = self.object(id).parent {
            self.object_mut(parent).parts.retain(|it| *it != id);
            if let Some(relation) = self.relation_mut(parent) {
                relation.columns.retain(|it| *it != id);
            }
        }
        let parents = self.relation(id).map(|it| it.parents.clone()).unwrap_or_default();
        for parent in parents {
            if let Some(relation) = self.relation_mut(parent) {
                relation.children.retain(|it| *it != id);
            }
        }
        if let Detail::Constraint(it) = &self.object(id).detail
            && let Some(table) = it.foreign
            && let Some(relation) = self.relation_mut(table)
        {
            relation.referenced_by.retain(|it| *it != id);
        }
    }
}
