//! Rows: what reads and writes them, and what a change of them sets off.

use rustc_hash::FxHashSet;

use super::Catalogue;
use super::object::Detail;
use crate::model::Span;
use crate::sql::act::RowAccess;
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::Ident;

impl Catalogue {
    /// What stands in the columns among `objects` that are of this table. Behind a view
    /// any column may be meant.
    pub(super) fn read_values(&mut self, table: ObjectId, objects: &[ObjectId], span: Span) {
        for id in self.read_through(table) {
            let Some(relation) = self.relation(id) else { continue };
            let all = if id == table { Vec::new() } else { relation.columns.clone() };
            if relation.open {
                self.touch(id, Aspect::Value, Op::Read, span);
            }
            for column in if id == table { objects } else { &all } {
                let of_table = self.object(*column).parent == Some(id);
                if of_table && self.object(*column).kind == Kind::Column {
                    self.touch(*column, Aspect::Value, Op::Read, span);
                }
            }
        }
    }

    /// Gives columns other values. Which rows there are stays the same.
    fn write_values(&mut self, table: ObjectId, columns: &[Ident], span: Span) {
        self.touch(table, Aspect::Values, Op::Write, span);
        if self.relation(table).is_some_and(|it| it.open) {
            self.touch(table, Aspect::Value, Op::Write, span);
        }
        for name in columns {
            if let Some(column) = self.part(table, Kind::Column, name) {
                self.touch(column, Aspect::Value, Op::Write, span);
            }
        }
    }

    /// Which rows there are counts, and what stands in them.
    pub(super) fn read_rows(&mut self, table: ObjectId, span: Span) {
        self.touch(table, Aspect::Rows, Op::Read, span);
        self.touch(table, Aspect::Values, Op::Read, span);
    }

    /// Reads or writes rows of a table, or of those behind a view: an updatable view
    /// writes its table.
    pub(super) fn access_rows(&mut self, id: ObjectId, access: &RowAccess, span: Span) {
        for id in self.read_through(id) {
            if self.object(id).kind == Kind::View {
                self.use_of(id, span);
                self.routines_below(id).into_iter().for_each(|it| self.execute(it, span));
            }
            self.access_own_rows(id, access, span);
        }
    }

    fn access_own_rows(&mut self, id: ObjectId, access: &RowAccess, span: Span) {
        let (mode, op) = match access {
            RowAccess::Read => (LockMode::AccessShare, Op::Read),
            RowAccess::Lock => (LockMode::RowShare, Op::Read),
            RowAccess::Insert { columns, upsert } => {
                let counts = self.takes_numbers(id, columns.as_deref(), span);
                (LockMode::RowExclusive, if *upsert || counts { Op::Write } else { Op::Add })
            }
            RowAccess::Update(_) => (LockMode::RowExclusive, Op::Read),
            RowAccess::Write => (LockMode::RowExclusive, Op::Write),
        };
        self.lock(id, mode, span);
        self.touch_rows(id, access, op, span);
        for heir in self.heirs(id) {
            self.lock(heir, mode, span);
            self.touch_rows(heir, access, op, span);
        }
        if !matches!(access, RowAccess::Read | RowAccess::Lock) {
            self.fire(id, access, span);
        }
    }

    fn touch_rows(&mut self, id: ObjectId, access: &RowAccess, op: Op, span: Span) {
        match (access, op) {
            (RowAccess::Update(columns), _) => {
                self.touch(id, Aspect::Rows, Op::Read, span);
                self.write_values(id, columns, span);
            }
            (_, Op::Read) => self.read_rows(id, span),
            _ => self.touch(id, Aspect::Rows, op, span),
        }
    }

    /// True when a row that names only `columns` takes a number from a sequence:
    /// which one depends on the order, and on who else takes from it.
    fn takes_numbers(&mut self, table: ObjectId, columns: Option<&[Ident]>, span: Span) -> bool {
        let Some(given) = columns else { return false };
        let counts = |id: &ObjectId| match &self.object(*id).detail {
            Detail::Column(column) => column.counts && !given.contains(self.name_of(*id)),
            _ => false,
        };
        let columns = self.relation(table).map(|it| it.columns.as_slice()).unwrap_or_default();
        let counting: Vec<_> = columns.iter().copied().filter(counts).collect();
        for sequence in counting.iter().flat_map(|it| self.sequences_of(*it)).collect::<Vec<_>>() {
            self.take_number(sequence, span);
        }
        !counting.is_empty()
    }

    /// What a column owns, or its default names.
    pub(super) fn sequences_of(&self, column: ObjectId) -> Vec<ObjectId> {
        let object = self.object(column);
        let all = object.parts.iter().chain(&object.foundations).copied();
        all.filter(|it| self.object(*it).kind == Kind::Sequence).collect()
    }

    pub(super) fn take_number(&mut self, sequence: ObjectId, span: Span) {
        self.touch(sequence, Aspect::Rows, Op::Write, span);
        self.touch(sequence, Aspect::Behaviour, Op::Read, span);
    }

    /// What a change of rows brings with it: constraints, foreign keys, triggers.
    fn fire(&mut self, table: ObjectId, access: &RowAccess, span: Span) {
        self.touch(table, Aspect::Behaviour, Op::Read, span);
        match access {
            RowAccess::Insert { upsert: false, .. } => {}
            RowAccess::Insert { .. } => {
                // The key that decides must be there.
                self.touch(table, Aspect::Constraints, Op::Read, span);
                self.touch(table, Aspect::Checked, Op::Add, span);
            }
            _ => self.touch(table, Aspect::Checked, Op::Add, span),
        }
        let is_partition = |it: &ObjectId| self.relation(*it).is_some_and(|child| child.partition);
        if self.relation(table).is_some_and(|it| it.children.iter().any(is_partition)) {
            // A row goes to the partition that is there for it, or fails.
            self.touch(table, Aspect::Members, Op::Read, span);
        }
        let moves = match access {
            RowAccess::Update(columns) => self.is_key(table, columns),
            RowAccess::Insert { .. } => false,
            _ => true,
        };
        if moves {
            self.act_on_children(table, matches!(access, RowAccess::Update(_)), span);
        }
        for part in self.object(table).parts.clone() {
            let mut functions = self.routines_below(part);
            match &self.object(part).detail {
                Detail::Constraint(constraint) => {
                    if let Some(parent) = constraint.foreign {
                        self.lock(parent, LockMode::RowShare, span);
                        self.read_rows(parent, span);
                        self.heirs(parent).into_iter().for_each(|it| self.read_rows(it, span));
                    }
                }
                Detail::Trigger(function) => functions.extend(*function),
                Detail::Column(_) | Detail::Index(_) => {}
                _ => continue,
            }
            functions.into_iter().for_each(|it| self.execute(it, span));
        }
    }

    /// True when one of these columns is in a key, to which others may point.
    fn is_key(&self, table: ObjectId, columns: &[Ident]) -> bool {
        let key = |part: &ObjectId| match &self.object(*part).detail {
            Detail::Constraint(it) if it.index.is_some() => it.columns.clone(),
            Detail::Index(it) if it.unique => it.columns.clone(),
            _ => Vec::new(),
        };
        let mut keys = self.object(table).parts.iter().flat_map(key);
        keys.any(|column| columns.contains(self.name_of(column)))
    }

    /// Rows that point to others go with them, or keep them from going
    /// (<https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK>).
    fn act_on_children(&mut self, table: ObjectId, rekeyed: bool, span: Span) {
        let mut seen = FxHashSet::from_iter([table]);
        let mut pending = vec![table];
        while let Some(parent) = pending.pop() {
            let keys = self.relation(parent).map(|it| it.referenced_by.clone()).unwrap_or_default();
            for key in keys {
                let acts = matches!(&self.object(key).detail, Detail::Constraint(it) if it.acts);
                let Some(child) = self.object(key).parent else { continue };
                // Rows that are only added do not point to what goes away; they may to
                // what has another key.
                let (aspect, op) = match (acts, rekeyed) {
                    (true, _) => (Aspect::Rows, Op::Write),
                    (_, true) => (Aspect::Rows, Op::Read),
                    _ => (Aspect::Checked, Op::Read),
                };
                self.touch(child, aspect, op, span);
                if acts && seen.insert(child) {
                    pending.push(child);
                    for part in self.object(child).parts.clone() {
                        if let Detail::Trigger(Some(function)) = self.object(part).detail {
                            self.execute(function, span);
                        }
                    }
                }
            }
        }
    }
}
