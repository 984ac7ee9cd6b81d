//! Tables, their columns, constraints and indexes.

use super::Catalogue;
use super::names::Absent;
use super::object::{Column, Constraint, Detail, Known, Scope};
use crate::model::Span;
use crate::sql::act::{ConstraintKind, Filled, NewColumn, NewConstraint, NewSequence, NewTable};
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName, generated_name};

impl Catalogue {
    pub(super) fn create_table(&mut self, table: &NewTable) {
        let span = table.name.span;
        let scope = self.home(table.kind, &table.name, table.temporary);
        let (id, fresh) = self.make(table.kind, scope, (&table.name.name, span));
        self.lock(id, LockMode::AccessExclusive, span);
        if let Some(query) = &table.query {
            self.run(query);
        }
        let used = self.refer(&table.uses);
        if !fresh {
            return;
        }
        self.depend_on_all(id, used);
        table.like.iter().for_each(|other| self.copy_columns(id, other));
        table.inherits.iter().for_each(|parent| self.inherit(id, parent, false));
        table.partition_of.iter().for_each(|parent| self.inherit(id, parent, true));
        let queried = table.query.iter().flat_map(|query| &query.relations);
        let sources: Vec<_> = queried.filter_map(|it| self.peek(Kind::Table, &it.name)).collect();
        if let Some(relation) = self.relation_mut(id) {
            relation.sources = sources;
            relation.takes_the_rest = table.takes_the_rest;
        }
        if table.query.is_some() && table.columns.is_empty() {
            self.open(id);
        }
        for column in &table.columns {
            self.add_column(id, column);
        }
        for column in &table.columns {
            self.column_extras(id, column);
        }
        // A partition's bounds.
        self.enum_values(&table.uses.literals, &[id]);
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
        let with_all = [Aspect::Behaviour, Aspect::Constraints, Aspect::Indexes, Aspect::Comment];
        with_all.into_iter().for_each(|it| self.touch(source, it, Op::Read, other.span));
        for part in self.object(source).parts.clone() {
            self.touch(part, Aspect::Definition, Op::Read, other.span);
            self.touch(part, Aspect::Comment, Op::Read, other.span);
            self.touch(part, Aspect::Behaviour, Op::Read, other.span);
        }
        self.copy_from(id, source, other.span);
    }

    /// A relation may have more columns than are known.
    pub(super) fn open(&mut self, id: ObjectId) {
        if let Some(relation) = self.relation_mut(id).filter(|it| !it.is_open()) {
            relation.known = Known::SomeColumns;
        }
    }

    fn copy_from(&mut self, id: ObjectId, source: ObjectId, span: Span) {
        let (columns, open) =
            self.relation(source).map(|it| (it.columns.clone(), it.is_open())).unwrap_or_default();
        if open {
            self.open(id);
        }
        for column in columns {
            let name = self.name_of(column).clone();
            let (ty, counts, demanding) = match &self.object(column).detail {
                Detail::Column(column) => (column.ty, column.counts, column.demanding),
                _ => (None, false, false),
            };
            let copy = self.new_column(id, &name, ty, span);
            for sequence in self.sequences_of(column) {
                self.depend(copy, sequence);
            }
            if let Detail::Column(detail) = &mut self.object_mut(copy).detail {
                detail.counts |= counts;
                detail.demanding |= demanding;
            }
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
        if partition {
            self.look_through_default_partition(source, parent.span);
        }
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
                    let kept =
                        Constraint { foreign: it.foreign, acts: it.acts, ..Constraint::default() };
                    let name = self.name_of(part).clone();
                    if wanted {
                        self.copy_constraint(id, (&name, span), kept);
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

    fn copy_constraint(&mut self, table: ObjectId, name: (&Ident, Span), detail: Constraint) {
        let (id, fresh) = self.make(Kind::Constraint, Scope::Of(table), name);
        if fresh {
            self.attach(table, id);
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
            let detail = Constraint { index: Some(copy), ..Constraint::default() };
            self.copy_constraint(id, (&name, span), detail);
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
            self.object_mut(id).detail = Detail::Column(Column { ty, ..Column::default() });
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
        let ty = column.ty.as_ref().and_then(|ty| self.find_type(ty));
        self.new_column(table, &column.name, ty, column.span)
    }

    /// What stands behind a column's name and type.
    pub(super) fn column_extras(&mut self, table: ObjectId, column: &NewColumn) {
        // A generated column is made of others.
        let used = self.refer_within(table, &column.uses);
        let Some(id) = self.part(table, Kind::Column, &column.name) else { return };
        for object in used {
            let is_column = self.object(object).kind == Kind::Column;
            if !is_column || column.filled == Filled::Generated {
                self.depend(id, object);
            }
        }
        let numbered = column.filled == Filled::Numbered;
        let counts = numbered || column.uses.named.iter().any(|(kind, _)| *kind == Kind::Sequence);
        if let Detail::Column(detail) = &mut self.object_mut(id).detail {
            detail.counts = counts;
            let ty = column.ty.as_ref();
            detail.names = ty.and_then(|ty| Kind::of_oid_type(ty.name.as_str()));
            detail.demanding = column.not_null || column.filled != Filled::Null;
            detail.generated = column.filled == Filled::Generated;
        }
        if numbered {
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
        let scope = self.home(Kind::Sequence, &new.name, new.temporary);
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
