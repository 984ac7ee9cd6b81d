//! `ALTER TABLE` and its like.

use super::Catalogue;
use super::names::Absent;
use super::object::{Detail, Scope};
use crate::model::Span;
use crate::sql::act::{
    AlterRelation, Change, ColumnAspect, ColumnChange, ConstraintKind, Filled, Member,
    NewConstraint,
};
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName};

use LockMode::{AccessExclusive, AccessShare, ShareRowExclusive, ShareUpdateExclusive};

impl Catalogue {
    pub(super) fn alter_relation(&mut self, alter: &AlterRelation) {
        let absent = if alter.if_exists { Absent::Fine } else { Absent::Missing };
        let Some(id) = self.find_or_assume(Kind::Table, &alter.name, absent) else { return };
        self.use_of(id, alter.name.span);
        for change in &alter.changes {
            self.change(id, change);
        }
        if alter.changes.iter().any(goes_down) {
            // Children that were there before, or come later, count as well.
            self.touch(id, Aspect::Members, Op::Read, alter.name.span);
        }
        if !alter.only {
            self.pass_on(id, alter);
            return;
        }
        for change in &alter.changes {
            if let Change::DropColumn(member) = change {
                self.leave_to_children(id, member);
            }
        }
    }

    /// The column stays with the children, as their own.
    fn leave_to_children(&mut self, id: ObjectId, member: &Member) {
        for child in self.heirs(id) {
            if let Some(column) = self.part(child, Kind::Column, &member.name) {
                self.touch(column, Aspect::Definition, Op::Write, member.span);
            }
        }
    }

    /// What a change does to the children of a table
    /// (<https://www.postgresql.org/docs/current/ddl-inherit.html>).
    fn pass_on(&mut self, id: ObjectId, alter: &AlterRelation) {
        for child in self.heirs(id) {
            self.touch(child, Aspect::Members, Op::Read, alter.name.span);
            for change in &alter.changes {
                if goes_down(change) {
                    self.change(child, &nameless(change));
                }
            }
        }
    }

    fn change(&mut self, id: ObjectId, change: &Change) {
        match change {
            Change::AddColumn { column, if_not_exists } => {
                let lenient = *if_not_exists;
                self.perhaps_if(lenient, |catalogue| catalogue.column_added(id, column, lenient));
            }
            Change::DropColumn(member) => self.column_dropped(id, member),
            Change::RenameColumn(from, to, span) => self.column_renamed(id, from, to, *span),
            Change::AddConstraint(new) => self.add_constraint(id, new, false),
            Change::DropConstraint(member) => self.constraint_dropped(id, member),
            Change::RenameConstraint(from, to, span) => {
                self.constraint_renamed(id, from, to, *span);
            }
            Change::Constraint(name, mode, span) => self.constraint_changed(id, name, *mode, *span),
            Change::Column(change) => self.column_changed(id, change),
            Change::RenameTo(name) => self.renamed(id, name),
            Change::SetSchema(schema, span) => self.moved(id, schema, *span),
            Change::Attach { other, inherit, default, bounds } => {
                self.enum_values(bounds, &[id]);
                self.attached(id, other, *inherit, *default);
            }
            Change::Detach { other, inherit, concurrently } => {
                self.detached(id, other, *inherit, *concurrently);
            }
            Change::Behaviour(mode, one, span) => {
                if let Some((kind, name)) = one {
                    let found = self.find_part(id, *kind, (name, *span), Absent::Missing);
                    found.into_iter().for_each(|it| self.use_of(it, *span));
                }
                self.lock(id, *mode, *span);
                self.touch(id, Aspect::Behaviour, Op::Write, *span);
                for heir in self.heirs(id) {
                    self.touch(heir, Aspect::Behaviour, Op::Write, *span);
                }
            }
            // It does not hold for the owner, and for others it is what policies say.
            Change::Security(span) => {
                self.lock(id, AccessExclusive, *span);
                self.touch(id, Aspect::Security, Op::Write, *span);
            }
            Change::Owner(role, span) => {
                self.lock(id, AccessExclusive, *span);
                self.give_to(id, role.as_ref(), *span);
            }
            Change::Sequence { owned_by, span } => {
                self.lock(id, ShareRowExclusive, *span);
                self.touch(id, Aspect::Behaviour, Op::Write, *span);
                if let Some((table, column)) = owned_by {
                    self.own(id, table, column);
                }
            }
            Change::Other(mode, uses, span) => {
                self.lock(id, *mode, *span);
                self.refer_within(id, uses);
                self.touch(id, Aspect::Behaviour, Op::Write, *span);
            }
        }
    }

    fn column_added(&mut self, id: ObjectId, column: &crate::sql::act::NewColumn, lenient: bool) {
        let span = column.span;
        self.lock(id, AccessExclusive, span);
        let there = self.part(id, Kind::Column, &column.name);
        self.touch(id, Aspect::Columns, Op::Add, span);
        self.touch(id, Aspect::Sequence, Op::Add, span);
        self.touch(id, Aspect::RowPlace, Op::Add, span);
        self.add_column(id, column);
        if there.is_some() && lenient {
            return;
        }
        // Rows that are there get a value of their own, or must have one.
        let numbered = column.filled == Filled::Numbered;
        let counts = numbered || column.uses.objects.iter().any(|(kind, _)| *kind == Kind::Routine);
        if counts || column.not_null && column.filled == Filled::Null {
            self.read_rows(id, span);
            self.read_order(id, span);
        }
        if column.filled == Filled::Generated {
            self.check_rows(id, &[], span);
        }
        self.column_extras(id, column);
        if let Some(new) = self.part(id, Kind::Column, &column.name) {
            let used = self.object(new).foundations.clone();
            self.execute_all(&used, span);
            self.sequences_of(new).into_iter().for_each(|it| self.take_number(it, span));
        }
        for constraint in &column.constraints {
            self.add_constraint(id, constraint, false);
        }
    }

    fn column_dropped(&mut self, id: ObjectId, member: &Member) {
        self.lock(id, AccessExclusive, member.span);
        let absent = if member.if_exists { Absent::Fine } else { Absent::Missing };
        let name = (&member.name, member.span);
        let Some(column) = self.find_part(id, Kind::Column, name, absent) else { return };
        self.touch(id, Aspect::Columns, Op::Add, member.span);
        self.drop_object(column, member.cascade, member.span);
    }

    fn column_renamed(&mut self, id: ObjectId, from: &Ident, to: &Ident, span: Span) {
        self.lock(id, AccessExclusive, span);
        let found = self.find_part(id, Kind::Column, (from, span), Absent::Missing);
        let Some(column) = found else { return };
        self.touch(id, Aspect::Columns, Op::Add, span);
        self.move_to(column, Scope::Of(id), to, span);
    }

    fn constraint_dropped(&mut self, id: ObjectId, member: &Member) {
        self.lock(id, AccessExclusive, member.span);
        self.touch(id, Aspect::Behaviour, Op::Add, member.span);
        let absent = if member.if_exists { Absent::Fine } else { Absent::Missing };
        let name = (&member.name, member.span);
        let Some(constraint) = self.find_part(id, Kind::Constraint, name, absent) else { return };
        self.drop_object(constraint, member.cascade, member.span);
    }

    fn constraint_renamed(&mut self, id: ObjectId, from: &Ident, to: &Ident, span: Span) {
        self.lock(id, AccessExclusive, span);
        let found = self.find_part(id, Kind::Constraint, (from, span), Absent::Missing);
        let Some(constraint) = found else { return };
        self.move_to(constraint, Scope::Of(id), to, span);
        if let Some(index) = self.index_behind(constraint) {
            let scope = self.key_of(index).scope.clone();
            self.move_to(index, scope, to, span);
        }
    }

    pub(super) fn index_behind(&self, constraint: ObjectId) -> Option<ObjectId> {
        match &self.object(constraint).detail {
            Detail::Constraint(it) => it.index,
            _ => None,
        }
    }

    fn constraint_changed(&mut self, id: ObjectId, name: &Ident, mode: LockMode, span: Span) {
        self.lock(id, mode, span);
        let found = self.find_part(id, Kind::Constraint, (name, span), Absent::Missing);
        let Some(constraint) = found else { return };
        self.touch(constraint, Aspect::Definition, Op::Write, span);
        let (foreign, columns) = match &self.object(constraint).detail {
            Detail::Constraint(it) => (it.foreign, it.columns.clone()),
            _ => (None, Vec::new()),
        };
        self.check_rows(id, &columns, span);
        if let Some(parent) = foreign {
            if mode == ShareUpdateExclusive {
                self.lock(parent, LockMode::RowShare, span);
            }
            self.read_rows(parent, span);
        }
    }

    fn column_changed(&mut self, id: ObjectId, change: &ColumnChange) {
        let span = change.span;
        let used = self.refer_within(id, &change.uses);
        if matches!(change.what, ColumnAspect::Type(_)) {
            self.execute_all(&used, span);
            self.read_values(id, &used, span);
        }
        let found = self.find_part(id, Kind::Column, (&change.name, span), Absent::Missing);
        let mode = match &change.what {
            ColumnAspect::Other(mode) => *mode,
            _ => AccessExclusive,
        };
        self.lock(id, mode, span);
        let Some(column) = found else { return };
        self.touch(column, Aspect::Definition, Op::Read, span);
        self.stand_on(column, span);
        self.enum_values(&change.uses.literals, &[column]);
        match &change.what {
            ColumnAspect::Type(ty) => self.type_changed(id, column, ty.as_ref(), span),
            ColumnAspect::NotNull => {
                self.demand(column);
                self.touch(column, Aspect::Behaviour, Op::Write, span);
                self.touch(id, Aspect::Constraints, Op::Add, span);
                self.check_rows(id, &[column], span);
            }
            ColumnAspect::Nullable => {
                self.touch(column, Aspect::Behaviour, Op::Write, span);
                self.touch(id, Aspect::Behaviour, Op::Add, span);
            }
            ColumnAspect::Default(_) | ColumnAspect::Identity => {
                self.default_changed(id, column, change);
            }
            ColumnAspect::Other(_) => {
                self.touch(column, Aspect::Behaviour, Op::Write, span);
                // What GENERATED, RESTART and INCREMENT say is the sequence's.
                for sequence in self.sequences_of(column) {
                    self.touch(sequence, Aspect::Behaviour, Op::Write, span);
                    self.touch(id, Aspect::Behaviour, Op::Add, span);
                }
            }
        }
    }

    fn default_changed(&mut self, id: ObjectId, column: ObjectId, change: &ColumnChange) {
        let span = change.span;
        self.touch(column, Aspect::Behaviour, Op::Write, span);
        self.touch(id, Aspect::Behaviour, Op::Add, span);
        // A sequence cannot go as long as a default takes numbers from it.
        self.sequences_of(column).into_iter().for_each(|it| self.use_of(it, span));
        let identity = matches!(change.what, ColumnAspect::Identity);
        if identity {
            self.owned_sequence(id, column, span);
        }
        for (kind, name) in &change.uses.objects {
            if let Some(object) = self.peek(*kind, name) {
                self.depend(column, object);
            }
        }
        let counts = identity || change.uses.named.iter().any(|(kind, _)| *kind == Kind::Sequence);
        self.demand(column);
        if let Detail::Column(detail) = &mut self.object_mut(column).detail {
            detail.counts = counts;
        }
    }

    fn demand(&mut self, column: ObjectId) {
        if let Detail::Column(detail) = &mut self.object_mut(column).detail {
            detail.demanding = true;
        }
    }

    /// The rows are written anew, indexes and keys over the column are rebuilt,
    /// and the tables at the other end of these are locked
    /// (`ATPostAlterTypeCleanup` in `src/backend/commands/tablecmds.c`).
    fn type_changed(&mut self, id: ObjectId, column: ObjectId, ty: Option<&QName>, span: Span) {
        self.touch(column, Aspect::Definition, Op::Write, span);
        self.touch(column, Aspect::Value, Op::Write, span);
        self.touch(id, Aspect::RowPlace, Op::Add, span);
        // Each row must have a value of the new type.
        self.touch(id, Aspect::Rows, Op::Read, span);
        // A key that pointed here, or a row of it in a column, would have forbidden it.
        self.touch(id, Aspect::References, Op::Read, span);
        if let Some(before) = self.type_of(column) {
            // An enum's values become what they are called.
            self.touch(before, Aspect::Value, Op::Read, span);
            self.depend_no_more(column, before);
        }
        let ty = ty.and_then(|ty| self.peek(Kind::Type, ty));
        if let Detail::Column(detail) = &mut self.object_mut(column).detail {
            detail.ty = ty;
        }
        if let Some(ty) = ty {
            self.depend(column, ty);
        }
        for (table, constraint) in self.keys_over(id, column) {
            self.lock(table, AccessExclusive, span);
            self.touch(constraint, Aspect::Definition, Op::Read, span);
        }
    }

    /// Tables that a foreign key over this column ties to its table.
    fn keys_over(&self, id: ObjectId, column: ObjectId) -> Vec<(ObjectId, ObjectId)> {
        let mut found = Vec::new();
        for part in &self.object(id).parts {
            if let Detail::Constraint(it) = &self.object(*part).detail
                && let Some(parent) = it.foreign.filter(|_| it.columns.contains(&column))
            {
                found.push((parent, *part));
            }
        }
        let keys = self.relation(id).map(|it| it.referenced_by.clone()).unwrap_or_default();
        for key in keys {
            let child = self.object(key).parent.filter(|_| !self.object(key).dropped);
            found.extend(child.map(|child| (child, key)));
        }
        found
    }

    fn renamed(&mut self, id: ObjectId, name: &Ident) {
        let kind = self.object(id).kind;
        let span = self.statement;
        // An index is renamed without stopping its readers since version 12.
        let mode = if kind == Kind::Index { ShareUpdateExclusive } else { AccessExclusive };
        self.lock(id, mode, span);
        let scope = self.key_of(id).scope.clone();
        self.move_to(id, scope, name, span);
        self.rename_key_of(id, name, span);
    }

    /// A key's constraint goes by the name of its index.
    fn rename_key_of(&mut self, index: ObjectId, name: &Ident, span: Span) {
        let Some(table) = self.object(index).parent else { return };
        if self.object(index).kind != Kind::Index {
            return;
        }
        let parts = self.object(table).parts.clone();
        let key = parts.into_iter().find(|part| self.index_behind(*part) == Some(index));
        if let Some(key) = key {
            self.move_to(key, Scope::Of(table), name, span);
        }
    }

    fn moved(&mut self, id: ObjectId, schema: &Ident, span: Span) {
        self.lock(id, AccessExclusive, span);
        self.leave_schema(id, span);
        let name = QName { schema: None, name: schema.clone(), span };
        if let Some(target) = self.wanted(Kind::Schema, &name) {
            self.touch(target, Aspect::Definition, Op::Read, span);
            self.touch(target, Aspect::Members, Op::Add, span);
        }
        for part in self.with_parts(id) {
            let kind = self.object(part).kind;
            if part == id || matches!(kind, Kind::Index | Kind::Sequence) {
                let name = self.name_of(part).clone();
                self.move_to(part, Scope::Schema(schema.clone()), &name, span);
            }
        }
    }

    /// An object and all that belongs to it, however far down.
    pub(super) fn with_parts(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut all = vec![id];
        let mut at = 0;
        while at < all.len() {
            let parts = self.object(all[at]).parts.iter().filter(|it| !self.object(**it).dropped);
            let new: Vec<_> = parts.copied().filter(|part| !all.contains(part)).collect();
            all.extend(new);
            at += 1;
        }
        all
    }

    fn attached(&mut self, id: ObjectId, other: &QName, inherit: bool, default: bool) {
        let Some(other_id) = self.wanted(Kind::Table, other) else { return };
        self.use_of(other_id, other.span);
        let (parent, child) = if inherit { (other_id, id) } else { (id, other_id) };
        let span = other.span;
        self.lock(parent, ShareUpdateExclusive, span);
        self.lock(child, AccessExclusive, span);
        self.touch(parent, Aspect::Members, Op::Add, span);
        self.touch(parent, Aspect::Behaviour, Op::Read, span);
        self.touch(parent, Aspect::Rows, Op::Add, span);
        self.touch(parent, Aspect::Columns, Op::Read, span);
        self.touch(child, Aspect::Behaviour, Op::Write, span);
        self.touch(child, Aspect::Constraints, Op::Read, span);
        for column in [self.columns_of(parent), self.columns_of(child)].concat() {
            self.touch(column, Aspect::Behaviour, Op::Read, span);
        }
        self.read_rows(child, span);
        self.columns_change_hands(child, span);
        for key in self.object(parent).parts.clone() {
            if let Detail::Constraint(it) = &self.object(key).detail
                && let Some(other) = it.foreign
            {
                self.read_rows(other, span);
            }
        }
        if !default {
            self.look_through_default_partition(parent, span);
        }
        if let Some(relation) = self.relation_mut(parent) {
            relation.children.push(child);
        }
        if let Some(relation) = self.relation_mut(child) {
            relation.parents.push(parent);
            relation.partition |= !inherit;
            relation.takes_the_rest |= default;
        }
        self.depend(child, parent);
    }

    /// A default partition is looked through for rows that belong to the new one.
    pub(super) fn look_through_default_partition(&mut self, parent: ObjectId, span: Span) {
        let children = self.relation(parent).map(|it| it.children.clone()).unwrap_or_default();
        for child in children {
            let rest = self.relation(child).is_some_and(|it| it.takes_the_rest);
            if rest && !self.object(child).dropped {
                self.lock(child, AccessExclusive, span);
                self.read_rows(child, span);
                self.check_rows(child, &[], span);
            }
        }
    }

    /// What is inherited cannot be changed here, what is not can.
    fn columns_change_hands(&mut self, child: ObjectId, span: Span) {
        for column in self.columns_of(child) {
            self.touch(column, Aspect::Definition, Op::Write, span);
        }
    }

    fn detached(&mut self, id: ObjectId, other: &QName, inherit: bool, concurrently: bool) {
        let Some(other_id) = self.wanted(Kind::Table, other) else { return };
        self.use_of(other_id, other.span);
        let (parent, child) = if inherit { (other_id, id) } else { (id, other_id) };
        let span = other.span;
        let mode = match (inherit, concurrently) {
            (true, _) => AccessShare,
            (_, true) => ShareUpdateExclusive,
            _ => AccessExclusive,
        };
        self.lock(parent, mode, span);
        self.lock(child, AccessExclusive, span);
        self.touch(parent, Aspect::Members, Op::Write, span);
        self.touch(parent, Aspect::Rows, Op::Write, span);
        self.touch(child, Aspect::Behaviour, Op::Write, span);
        self.columns_change_hands(child, span);
        if concurrently {
            self.now.concurrent.push((parent, span));
        }
        if let Some(relation) = self.relation_mut(parent) {
            relation.children.retain(|it| *it != child);
        }
        if let Some(relation) = self.relation_mut(child) {
            relation.parents.retain(|it| *it != parent);
            relation.partition = false;
        }
        self.object_mut(parent).dependents.retain(|it| *it != child);
    }
}

/// True for what a table's children do with it.
fn goes_down(change: &Change) -> bool {
    matches!(
        change,
        Change::AddColumn { .. }
            | Change::DropColumn(_)
            | Change::RenameColumn(..)
            | Change::Column(_)
            | Change::AddConstraint(_)
            | Change::DropConstraint(_)
            | Change::Constraint(..)
    )
}

/// A partition's key has a name of its own.
fn nameless(change: &Change) -> Change {
    match change {
        Change::AddConstraint(new)
            if matches!(new.kind, ConstraintKind::Primary(_) | ConstraintKind::Unique(_)) =>
        {
            Change::AddConstraint(Box::new(NewConstraint { name: None, ..(**new).clone() }))
        }
        _ => change.clone(),
    }
}
