//! Constraints and indexes.

use super::Catalogue;
use super::names::Absent;
use super::object::{Constraint, Detail, Index, Scope};
use crate::model::Span;
use crate::sql::act::{ConstraintKind, NewConstraint, NewIndex};
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName, generated_name, numbered};

impl Catalogue {
    /// A constraint of a table that is `new` in this statement, or not.
    pub(super) fn add_constraint(&mut self, table: ObjectId, new: &NewConstraint, is_new: bool) {
        let span = new.span;
        let used = self.refer_within(table, &new.uses);
        let columns: Vec<_> =
            new.columns.iter().filter_map(|name| self.column(table, name, span)).collect();
        let columns = if columns.is_empty() { self.columns_among(&used, table) } else { columns };
        if !is_new {
            self.touch(table, Aspect::Constraints, Op::Add, span);
            self.touch(table, Aspect::Definition, Op::Read, span);
            // One that is NOT VALID looks at a row whenever it is written, whatever changes.
            let checked = if new.not_valid { &[][..] } else { &columns };
            self.check_rows(table, checked, span);
            if new.not_valid {
                // Rows that come behind it are looked at, those before are not.
                self.touch(table, Aspect::Rows, Op::Read, span);
            }
            self.execute_all(&used, span);
            let foreign = matches!(new.kind, ConstraintKind::Foreign(..));
            let mode =
                if foreign { LockMode::ShareRowExclusive } else { LockMode::AccessExclusive };
            self.lock(table, mode, span);
        }
        let name = self.constraint_name(table, new, &columns);
        let (id, _) = self.make(Kind::Constraint, Scope::Of(table), (&name, span));
        self.attach(table, id);
        let mut detail =
            Constraint { columns, index: None, foreign: None, acts: new.acts, primary: false };
        match &new.kind {
            ConstraintKind::Primary(index) | ConstraintKind::Unique(index) => {
                detail.primary = matches!(new.kind, ConstraintKind::Primary(_));
                if detail.primary && !is_new {
                    // They are NOT NULL from now on, and stay so without the key.
                    detail
                        .columns
                        .iter()
                        .for_each(|it| self.touch(*it, Aspect::Behaviour, Op::Write, span));
                }
                detail.index =
                    self.enforcing_index(table, (&name, span), index.as_ref(), &detail.columns);
            }
            ConstraintKind::Exclude => {
                detail.index = self.enforcing_index(table, (&name, span), None, &detail.columns);
                for class in self.operator_classes_of("gist", span) {
                    self.depend(id, class);
                }
            }
            ConstraintKind::Foreign(parent, keys) => {
                detail.foreign = self.point_to(id, parent, keys, span);
                if let Some(parent) = detail.foreign.filter(|_| !is_new) {
                    // Rows that are there may go with those they point to.
                    self.touch(parent, Aspect::Behaviour, Op::Add, span);
                    self.read_rows(parent, span);
                }
            }
            ConstraintKind::Check | ConstraintKind::NotNull => {}
        }
        self.depend_on_all(id, used.into_iter().filter(|it| *it != table));
        self.object_mut(id).detail = Detail::Constraint(Box::new(detail));
    }

    /// `btree_gist` and `btree_gin` provide what an index of these methods uses for
    /// a plain column.
    pub(super) fn operator_classes_of(&mut self, method: &str, span: Span) -> Vec<ObjectId> {
        let extension = QName { schema: None, name: Ident::new(&format!("btree_{method}")), span };
        let own = QName { schema: None, name: Ident::new(method), span };
        let own = self.named_like_extension(Kind::AccessMethod, &own);
        let found: Vec<_> = self.peek(Kind::Extension, &extension).into_iter().chain(own).collect();
        found.iter().for_each(|id| self.touch(*id, Aspect::Definition, Op::Read, span));
        found
    }

    /// Names in a check or in an index's expression are the table's own columns.
    pub(super) fn refer_within(
        &mut self,
        table: ObjectId,
        uses: &crate::sql::act::Uses,
    ) -> Vec<ObjectId> {
        let mut found = self.refer(uses);
        for column in &uses.columns {
            if let Some(id) = self.part(table, Kind::Column, &column.name) {
                self.touch(id, Aspect::Definition, Op::Read, column.span);
                found.push(id);
            } else if column.table.is_none() {
                self.find_part(table, Kind::Column, (&column.name, column.span), Absent::Fine);
            }
        }
        self.enum_values(&uses.literals, &found);
        found
    }

    fn columns_among(&self, used: &[ObjectId], table: ObjectId) -> Vec<ObjectId> {
        let own = |id: &&ObjectId| {
            self.object(**id).kind == Kind::Column && self.object(**id).parent == Some(table)
        };
        let mut columns: Vec<_> = used.iter().filter(own).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The name that is given, or the server's
    /// (`ChooseConstraintName` in `src/backend/catalog/pg_constraint.c`).
    fn constraint_name(
        &mut self,
        table: ObjectId,
        new: &NewConstraint,
        columns: &[ObjectId],
    ) -> Ident {
        if let Some(name) = &new.name {
            return name.clone();
        }
        if let ConstraintKind::Primary(Some(index)) | ConstraintKind::Unique(Some(index)) =
            &new.kind
        {
            return index.clone();
        }
        let label = match new.kind {
            ConstraintKind::Primary(_) => "pkey",
            ConstraintKind::Unique(_) => "key",
            ConstraintKind::Exclude => "excl",
            ConstraintKind::Check => "check",
            ConstraintKind::NotNull => "not_null",
            ConstraintKind::Foreign(..) => "fkey",
        };
        let table_name = self.name_of(table).clone();
        let names: Vec<_> = columns.iter().map(|column| self.name_of(*column).as_str()).collect();
        let joined = names.join("_");
        let second = match new.kind {
            ConstraintKind::Primary(_) => None,
            // A check over several columns is called after none of them.
            ConstraintKind::Check => (names.len() == 1).then_some(joined.as_str()),
            _ => Some(joined.as_str()),
        };
        let wanted = generated_name(table_name.as_str(), second, label);
        let in_schema = self.key_of(table).scope.clone();
        let free = self.free_constraint_name(table, &wanted);
        if matches!(label, "pkey" | "key" | "excl") {
            self.free_name(Kind::Index, &in_schema, &free)
        } else {
            free
        }
    }

    /// Names that are made up are unique within the schema, not the table alone.
    fn free_constraint_name(&mut self, table: ObjectId, wanted: &Ident) -> Ident {
        let mut free = self.free_name(Kind::Constraint, &Scope::Of(table), wanted);
        for n in 1..100 {
            let schema = &self.key_of(table).scope;
            let same = |it: &&ObjectId| {
                let of = self.object(**it).parent.filter(|of| !self.object(*of).dropped);
                let is_constraint = self.object(**it).kind == Kind::Constraint;
                is_constraint
                    && !self.object(**it).dropped
                    && of.is_some_and(|of| self.key_of(of).scope == *schema)
            };
            let taken =
                self.parts_by_name.get(&free).and_then(|all| all.iter().find(same)).copied();
            let Some(taken) = taken else { break };
            self.touch(taken, Aspect::Definition, Op::Read, self.statement);
            free = numbered(wanted, n);
        }
        free
    }

    /// The index behind a key: a new one, or one that is there.
    fn enforcing_index(
        &mut self,
        table: ObjectId,
        (name, span): (&Ident, Span),
        existing: Option<&Ident>,
        columns: &[ObjectId],
    ) -> Option<ObjectId> {
        let scope = self.key_of(table).scope.clone();
        if let Some(index) = existing {
            let key = Self::key(Kind::Index, scope.clone(), index);
            let id = self.by_name.get(&key).and_then(|slot| self.holder(*slot))?;
            self.touch(id, Aspect::Definition, Op::Write, span);
            if index != name {
                self.move_to(id, scope, name, span);
            }
            return Some(id);
        }
        let (id, _) = self.make(Kind::Index, scope, (name, span));
        let keys = columns.iter().map(|column| self.name_of(*column).clone()).collect();
        self.object_mut(id).detail =
            Detail::Index(Index { columns: columns.to_vec(), unique: true, demanding: true, keys });
        self.attach(table, id);
        Some(id)
    }

    /// A foreign key needs the table, its columns, and the key over them.
    fn point_to(
        &mut self,
        id: ObjectId,
        parent: &QName,
        keys: &[Ident],
        span: Span,
    ) -> Option<ObjectId> {
        let table = self.find(Kind::Table, parent, Absent::Missing)?;
        self.use_of(table, parent.span);
        self.lock(table, LockMode::ShareRowExclusive, parent.span);
        let wanted: Vec<_> =
            keys.iter().filter_map(|key| self.column(table, key, parent.span)).collect();
        if let Some(key) = self.key_over(table, &wanted) {
            self.touch(key, Aspect::Definition, Op::Read, span);
            self.stand_on(key, span);
            self.depend(id, key);
        }
        self.depend(id, table);
        self.touch(table, Aspect::References, Op::Add, span);
        if let Some(relation) = self.relation_mut(table) {
            relation.referenced_by.push(id);
        }
        Some(table)
    }

    /// The unique key over these columns, or the primary one over any.
    fn key_over(&self, table: ObjectId, columns: &[ObjectId]) -> Option<ObjectId> {
        let mut wanted = columns.to_vec();
        wanted.sort_unstable();
        let fits = |part: &&ObjectId| match &self.object(**part).detail {
            Detail::Constraint(it) if wanted.is_empty() => it.primary,
            Detail::Constraint(it) => it.index.is_some() && same(&it.columns, &wanted),
            Detail::Index(it) => it.unique && !wanted.is_empty() && same(&it.columns, &wanted),
            _ => false,
        };
        self.object(table).parts.iter().find(fits).copied()
    }

    pub(super) fn create_index(&mut self, new: &NewIndex) {
        let Some(table) = self.find(Kind::Table, &new.table, Absent::Missing) else { return };
        let span = new.span;
        self.use_of(table, new.table.span);
        let mode = if new.concurrently { LockMode::ShareUpdateExclusive } else { LockMode::Share };
        self.lock(table, mode, span);
        if new.concurrently {
            self.now.concurrent.push((table, span));
        }
        let used = self.refer_within(table, &new.uses);
        self.execute_all(&used, span);
        let method =
            new.method.as_ref().map(|method| self.operator_classes_of(method.as_str(), span));
        self.touch(table, Aspect::Indexes, Op::Add, span);
        if new.only {
            // Partitions that are there by now get none; those that come later do.
            self.touch(table, Aspect::Members, Op::Read, span);
        }
        if new.unique {
            self.touch(table, Aspect::Constraints, Op::Add, span);
        }
        // What it works out for a row may fail.
        let demanding = new.unique || !new.uses.objects.is_empty();
        if demanding {
            let columns = self.columns_among(&used, table);
            self.check_rows(table, &columns, span);
            for child in self.heirs(table) {
                self.check_rows(child, &[], span);
            }
        }
        let label = (new.unique, "idx");
        let id = self.index_of(table, (new.name.as_ref(), span), &new.keys, label);
        let columns = self.columns_among(&used, table);
        if let Detail::Index(index) = &mut self.object_mut(id).detail {
            index.columns = columns;
            index.demanding = demanding;
        }
        let used = used.into_iter().chain(method.into_iter().flatten());
        self.depend_on_all(id, used.filter(|it| *it != table));
        for child in self.heirs(table).into_iter().filter(|_| !new.only) {
            if self.relation(child).is_some_and(|it| it.partition) {
                self.lock(child, mode, span);
                // One that fits already is taken for the child's part.
                self.touch(child, Aspect::Indexes, Op::Read, span);
                self.index_of(child, (None, span), &new.keys, label);
            }
        }
    }

    /// Makes an index; without a name it is called after what it is made of.
    pub(super) fn index_of(
        &mut self,
        table: ObjectId,
        (name, span): (Option<&Ident>, Span),
        keys: &[Ident],
        (unique, label): (bool, &str),
    ) -> ObjectId {
        let scope = self.key_of(table).scope.clone();
        let generated = || {
            let joined = keys.iter().map(Ident::as_str).collect::<Vec<_>>().join("_");
            let second = (label != "pkey").then_some(joined.as_str());
            let wanted = generated_name(self.name_of(table).as_str(), second, label);
            self.free_name(Kind::Index, &scope, &wanted)
        };
        let name = name.cloned().unwrap_or_else(generated);
        let (id, fresh) = self.make(Kind::Index, scope, (&name, span));
        if fresh {
            self.object_mut(id).detail = Detail::Index(Index {
                unique,
                demanding: unique,
                keys: keys.to_vec(),
                ..Index::default()
            });
            self.attach(table, id);
        }
        id
    }
}

/// The same columns, in whatever order.
fn same(columns: &[ObjectId], sorted: &[ObjectId]) -> bool {
    let mut own = columns.to_vec();
    own.sort_unstable();
    own == sorted
}
