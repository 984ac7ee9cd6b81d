//! Tables, their columns, constraints and indexes.

use super::Catalogue;
use super::names::Absent;
use super::object::{Column, Constraint, Detail, Index, Scope};
use crate::model::Span;
use crate::sql::act::{ConstraintKind, NewColumn, NewConstraint, NewIndex, NewSequence, NewTable};
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName, generated_name};

impl Catalogue {
    pub(super) fn create_table(&mut self, table: &NewTable) {
        let span = table.name.span;
        let scope = self.home(&table.name, table.temporary);
        let (id, fresh) = self.make(table.kind, scope, (&table.name.name, span));
        self.lock(id, LockMode::AccessExclusive, span);
        if let Some(query) = &table.query {
            self.run(query);
        }
        self.refer(&table.uses);
        if !fresh {
            return;
        }
        table.like.iter().for_each(|other| self.copy_columns(id, other));
        table.inherits.iter().for_each(|parent| self.inherit(id, parent, false));
        table.partition_of.iter().for_each(|parent| self.inherit(id, parent, true));
        let open = table.query.is_some() && table.columns.is_empty();
        if let Some(relation) = self.relation_mut(id) {
            relation.open |= open;
        }
        for column in &table.columns {
            self.add_column(id, column);
        }
        for column in &table.columns {
            self.column_extras(id, column);
        }
        let of_columns = table.columns.iter().flat_map(|column| &column.constraints);
        for constraint in without_repeated_keys(of_columns.chain(&table.constraints)) {
            self.add_constraint(id, constraint, true);
        }
    }

    fn copy_columns(&mut self, id: ObjectId, other: &QName) {
        let Some(source) = self.find(Kind::Table, other, Absent::Missing) else {
            self.open(id);
            return;
        };
        self.use_of(source, other.span);
        self.lock(source, LockMode::AccessShare, other.span);
        self.all_columns(source, other.span);
        self.copy_from(id, source, other.span);
    }

    fn open(&mut self, id: ObjectId) {
        if let Some(relation) = self.relation_mut(id) {
            relation.open = true;
        }
    }

    fn copy_from(&mut self, id: ObjectId, source: ObjectId, span: Span) {
        let (columns, open) =
            self.relation(source).map(|it| (it.columns.clone(), it.open)).unwrap_or_default();
        if open {
            self.open(id);
        }
        for column in columns {
            let name = self.name_of(column).clone();
            let ty = match &self.object(column).detail {
                Detail::Column(column) => column.ty,
                _ => None,
            };
            self.new_column(id, &name, ty, span);
        }
    }

    /// `INHERITS`, `PARTITION OF`
    /// (<https://www.postgresql.org/docs/current/sql-createtable.html>): the new
    /// table gets the parent's columns, and a partition the parent's lock.
    fn inherit(&mut self, id: ObjectId, parent: &QName, partition: bool) {
        let Some(source) = self.find(Kind::Table, parent, Absent::Missing) else {
            self.open(id);
            return;
        };
        let mode =
            if partition { LockMode::AccessExclusive } else { LockMode::ShareUpdateExclusive };
        self.lock(source, mode, parent.span);
        self.use_of(source, parent.span);
        self.all_columns(source, parent.span);
        self.touch(source, Aspect::Behaviour, Op::Read, parent.span);
        self.touch(source, Aspect::Members, Op::Add, parent.span);
        self.copy_from(id, source, parent.span);
        self.copy_constraints(id, source, partition, parent.span);
        self.depend(id, source);
        if let Some(relation) = self.relation_mut(source) {
            relation.children.push(id);
        }
        if let Some(relation) = self.relation_mut(id) {
            relation.parents.push(source);
            relation.partition |= partition;
        }
    }

    /// A child has its parent's checks, and a partition its keys, foreign keys and
    /// indexes too
    /// (<https://www.postgresql.org/docs/current/ddl-partitioning.html>).
    fn copy_constraints(&mut self, id: ObjectId, parent: ObjectId, partition: bool, span: Span) {
        for part in self.object(parent).parts.clone() {
            match &self.object(part).detail {
                Detail::Constraint(it) if it.index.is_none() => {
                    let wanted = partition || it.foreign.is_none();
                    let foreign = it.foreign;
                    let name = self.name_of(part).clone();
                    if wanted {
                        self.copy_constraint(id, (&name, span), None, foreign);
                    }
                }
                Detail::Index(index) if partition => {
                    let (keys, unique) = (index.keys.clone(), index.unique);
                    self.copy_index(id, (parent, part), (&keys, unique), span);
                }
                _ => {}
            }
        }
    }

    fn copy_constraint(
        &mut self,
        table: ObjectId,
        name: (&Ident, Span),
        index: Option<ObjectId>,
        foreign: Option<ObjectId>,
    ) {
        let (id, fresh) = self.make(Kind::Constraint, Scope::Of(table), name);
        if fresh {
            self.attach(table, id);
            let detail = Constraint { columns: Vec::new(), index, foreign, primary: false };
            self.object_mut(id).detail = Detail::Constraint(Box::new(detail));
        }
    }

    fn copy_index(
        &mut self,
        id: ObjectId,
        (parent, index): (ObjectId, ObjectId),
        (keys, unique): (&[Ident], bool),
        span: Span,
    ) {
        let key =
            self.object(parent).parts.iter().find_map(|part| match &self.object(*part).detail {
                Detail::Constraint(it) if it.index == Some(index) => Some(it.primary),
                _ => None,
            });
        let label = match key {
            Some(true) => "pkey",
            Some(false) => "key",
            None => "idx",
        };
        let copy = self.index_of(id, (None, span), keys, (unique, label));
        if key.is_some() {
            let name = self.name_of(copy).clone();
            self.copy_constraint(id, (&name, span), Some(copy), None);
        }
    }

    fn new_column(
        &mut self,
        table: ObjectId,
        name: &Ident,
        ty: Option<ObjectId>,
        span: Span,
    ) -> ObjectId {
        let (id, fresh) = self.make(Kind::Column, Scope::Of(table), (name, span));
        if fresh {
            self.object_mut(id).detail = Detail::Column(Column { ty, counts: false });
            self.attach(table, id);
            if let Some(relation) = self.relation_mut(table) {
                relation.columns.push(id);
            }
            if let Some(ty) = ty {
                self.depend(id, ty);
            }
        }
        id
    }

    /// A column without its constraints and sequence.
    pub(super) fn add_column(&mut self, table: ObjectId, column: &NewColumn) -> ObjectId {
        let ty = column
            .ty
            .as_ref()
            .and_then(|ty| self.peek(Kind::Type, ty).or_else(|| self.peek(Kind::Table, ty)));
        self.new_column(table, &column.name, ty, column.span)
    }

    /// What stands behind a column's name and type.
    pub(super) fn column_extras(&mut self, table: ObjectId, column: &NewColumn) {
        let used = self.refer(&column.uses);
        let Some(id) = self.part(table, Kind::Column, &column.name) else { return };
        for object in used {
            if self.object(object).kind != Kind::Column {
                self.depend(id, object);
            }
        }
        let counts =
            column.sequence || column.uses.named.iter().any(|(kind, _)| *kind == Kind::Sequence);
        if let Detail::Column(detail) = &mut self.object_mut(id).detail {
            detail.counts = counts;
        }
        if column.sequence {
            self.owned_sequence(table, id, column.span);
        }
    }

    /// `serial` and identity columns own a sequence called `t_c_seq`.
    pub(super) fn owned_sequence(&mut self, table: ObjectId, column: ObjectId, span: Span) {
        let (t, c) = (self.name_of(table).clone(), self.name_of(column).clone());
        let wanted = generated_name(t.as_str(), Some(c.as_str()), "seq");
        let scope = self.key_of(table).scope.clone();
        let name = self.free_name(Kind::Sequence, &scope, &wanted);
        let (sequence, _) = self.make(Kind::Sequence, scope, (&name, span));
        self.attach(column, sequence);
    }

    pub(super) fn create_sequence(&mut self, new: &NewSequence) {
        let scope = self.home(&new.name, new.temporary);
        let (id, _) = self.make(Kind::Sequence, scope, (&new.name.name, new.name.span));
        if let Some((table, column)) = &new.owned_by {
            self.own(id, table, column);
        }
    }

    /// `OWNED BY t.c`: the sequence goes with the column.
    pub(super) fn own(&mut self, sequence: ObjectId, table: &QName, column: &Ident) {
        let Some(id) = self.find(Kind::Table, table, Absent::Missing) else { return };
        self.use_of(id, table.span);
        self.lock(id, LockMode::AccessShare, table.span);
        if let Some(column) = self.column(id, column, table.span) {
            self.attach(column, sequence);
        }
    }

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
            if !new.not_valid {
                self.touch(table, Aspect::Checked, Op::Read, span);
            }
            let foreign = matches!(new.kind, ConstraintKind::Foreign(..));
            let mode =
                if foreign { LockMode::ShareRowExclusive } else { LockMode::AccessExclusive };
            self.lock(table, mode, span);
        }
        let name = self.constraint_name(table, new, &columns);
        let (id, _) = self.make(Kind::Constraint, Scope::Of(table), (&name, span));
        self.attach(table, id);
        let mut detail = Constraint { columns, index: None, foreign: None, primary: false };
        match &new.kind {
            ConstraintKind::Primary(index) | ConstraintKind::Unique(index) => {
                detail.primary = matches!(new.kind, ConstraintKind::Primary(_));
                detail.index =
                    self.enforcing_index(table, (&name, span), index.as_ref(), &detail.columns);
            }
            ConstraintKind::Exclude => {
                detail.index = self.enforcing_index(table, (&name, span), None, &detail.columns);
                self.operator_classes_of("gist", span);
            }
            ConstraintKind::Foreign(parent, keys) => {
                detail.foreign = self.point_to(id, parent, keys, span);
                if let Some(parent) = detail.foreign.filter(|_| !is_new) {
                    // Rows that are there may go with those they point to.
                    self.touch(parent, Aspect::Behaviour, Op::Add, span);
                    self.touch(parent, Aspect::Rows, Op::Read, span);
                }
            }
            ConstraintKind::Check | ConstraintKind::NotNull => {}
        }
        for object in used {
            if self.object(object).kind != Kind::Column && object != table {
                self.depend(id, object);
            }
        }
        self.object_mut(id).detail = Detail::Constraint(Box::new(detail));
    }

    /// `btree_gist` and `btree_gin` provide what an index of these methods uses for
    /// a plain column.
    pub(super) fn operator_classes_of(&mut self, method: &str, span: Span) {
        let extension = QName { schema: None, name: Ident::new(&format!("btree_{method}")), span };
        if let Some(id) = self.peek(Kind::Extension, &extension) {
            self.touch(id, Aspect::Definition, Op::Read, span);
        }
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
    fn constraint_name(&self, table: ObjectId, new: &NewConstraint, columns: &[ObjectId]) -> Ident {
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
        let free = self.free_name(Kind::Constraint, &Scope::Of(table), &wanted);
        if matches!(label, "pkey" | "key" | "excl") {
            self.free_name(Kind::Index, &in_schema, &free)
        } else {
            free
        }
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
            Detail::Index(Index { columns: columns.to_vec(), unique: true, keys });
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
            self.depend(id, key);
        }
        self.depend(id, table);
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
        ["gist", "gin"].iter().for_each(|method| self.operator_classes_of(method, span));
        if new.unique {
            self.touch(table, Aspect::Constraints, Op::Add, span);
            self.touch(table, Aspect::Checked, Op::Read, span);
        }
        let label = (new.unique, "idx");
        let id = self.index_of(table, (new.name.as_ref(), span), &new.keys, label);
        let columns = self.columns_among(&used, table);
        if let Detail::Index(index) = &mut self.object_mut(id).detail {
            index.columns = columns;
        }
        for object in used {
            if self.object(object).kind != Kind::Column && object != table {
                self.depend(id, object);
            }
        }
        let children = self.relation(table).map(|it| it.children.clone()).unwrap_or_default();
        for child in children.into_iter().filter(|_| !new.only) {
            let partition = self.relation(child).is_some_and(|it| it.partition);
            if partition && !self.object(child).dropped {
                self.lock(child, mode, span);
                self.index_of(child, (None, span), &new.keys, label);
            }
        }
    }

    /// Makes an index; without a name it is called after what it is made of.
    fn index_of(
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
            self.object_mut(id).detail =
                Detail::Index(Index { columns: Vec::new(), unique, keys: keys.to_vec() });
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

/// A unique key over the very columns of another key of the statement is the same
/// key (`transformIndexConstraints` in `src/backend/parser/parse_utilcmd.c`).
fn without_repeated_keys<'a>(
    all: impl Iterator<Item = &'a NewConstraint>,
) -> Vec<&'a NewConstraint> {
    let all: Vec<_> = all.collect();
    let is_primary = |one: &&NewConstraint| matches!(one.kind, ConstraintKind::Primary(None));
    let primary: Vec<_> = all.iter().copied().filter(is_primary).collect();
    let repeats = |one: &&NewConstraint| {
        let unique = matches!(one.kind, ConstraintKind::Unique(None)) && one.name.is_none();
        !(unique && primary.iter().any(|key| key.columns == one.columns))
    };
    all.into_iter().filter(repeats).collect()
}
