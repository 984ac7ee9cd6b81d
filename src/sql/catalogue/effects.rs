//! What a change of rows sets off: constraints, foreign keys, triggers, rules.

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
    /// What a change of rows brings with it: constraints, foreign keys, triggers.
    pub(super) fn fire(&mut self, table: ObjectId, access: &RowAccess, span: Span) {
        self.touch(table, Aspect::Behaviour, Op::Read, span);
        match access {
            RowAccess::Insert { upsert: false, .. } => {}
            RowAccess::Insert { .. } => {
                // The key that decides must be there, under the name that is given.
                self.touch(table, Aspect::Constraints, Op::Read, span);
                self.keys_of(table).into_iter().for_each(|it| self.use_of(it, span));
                self.touch(table, Aspect::Checked, Op::Add, span);
            }
            access => {
                self.change_checked(table, access, span);
                self.touch(self.publications, Aspect::Behaviour, Op::Read, span);
            }
        }
        self.route(table, span);
        let moves = match access {
            RowAccess::Update(columns) => {
                columns.as_ref().is_none_or(|columns| self.is_key(table, columns))
            }
            RowAccess::Insert { .. } => false,
            _ => true,
        };
        if moves {
            self.act_on_children(table, matches!(access, RowAccess::Update(_)), span);
        }
        // The function of a partition's key.
        self.routines_below(table).into_iter().for_each(|it| self.execute(it, span));
        for above in self.ancestors(table) {
            // A partition has its parent's triggers.
            for part in self.object(above).parts.clone() {
                self.pull(part, table, span);
            }
        }
        for part in self.object(table).parts.clone() {
            self.heed(part, table, span);
        }
    }

    /// What is demanded of the rows with values in these columns, or in any, is looked
    /// after.
    pub(super) fn check_rows(&mut self, table: ObjectId, columns: &[ObjectId], span: Span) {
        self.touch(table, Aspect::Checked, Op::Read, span);
        let all = if columns.is_empty() { self.columns_of(table) } else { Vec::new() };
        for column in columns.iter().chain(&all) {
            self.touch(*column, Aspect::Checked, Op::Read, span);
        }
    }

    /// Whether rows satisfy what is demanded of them may change: for an update only where
    /// the columns that it sets count.
    fn change_checked(&mut self, table: ObjectId, access: &RowAccess, span: Span) {
        let columns = match access {
            RowAccess::Update(Some(columns)) if !self.sets_others(table) => columns,
            _ => return self.touch(table, Aspect::Checked, Op::Add, span),
        };
        for name in columns {
            match self.part(table, Kind::Column, name) {
                Some(column) => self.touch(column, Aspect::Checked, Op::Add, span),
                None => self.touch(table, Aspect::Checked, Op::Add, span),
            }
        }
    }

    /// What belongs to a table has its say when rows are written.
    fn heed(&mut self, part: ObjectId, table: ObjectId, span: Span) {
        let mut functions = self.routines_below(part);
        match &self.object(part).detail {
            Detail::Constraint(constraint) => {
                if let Some(parent) = constraint.foreign {
                    self.lock(parent, LockMode::RowShare, span);
                    self.read_rows(parent, span);
                    self.heirs(parent).into_iter().for_each(|it| self.read_rows(it, span));
                }
            }
            Detail::Trigger(_) => self.pull(part, table, span),
            Detail::Column(_) => {
                // What a domain demands, and what else may be cast to the type.
                let domains = self.domains_of(part);
                let stands_on = self.object(part).foundations.clone();
                domains.iter().chain(&stands_on).for_each(|it| self.use_of(*it, span));
                functions.extend(domains.into_iter().flat_map(|it| self.routines_below(it)));
                self.whole_rows_of(part, span);
            }
            Detail::Rule(body) if !self.calls.contains(&part) => {
                let body = body.clone();
                self.carry_out(part, &body);
            }
            Detail::Index(_) => {}
            _ => return,
        }
        functions.into_iter().for_each(|it| self.execute(it, span));
    }

    /// A value of a row type has the columns that its table has now.
    fn whole_rows_of(&mut self, column: ObjectId, span: Span) {
        if let Some(ty) = self.type_of(column).filter(|it| self.relation(*it).is_some()) {
            self.all_columns(ty, span);
        }
    }

    /// A row goes to the partition that is there for it, or fails.
    fn route(&mut self, table: ObjectId, span: Span) {
        let is_partition = |it: &ObjectId| self.relation(*it).is_some_and(|child| child.partition);
        if self.relation(table).is_some_and(|it| it.children.iter().any(is_partition)) {
            self.touch(table, Aspect::Members, Op::Read, span);
            for heir in self.heirs(table) {
                self.touch(heir, Aspect::Members, Op::Read, span);
            }
        }
    }

    /// Unique constraints and indexes.
    fn keys_of(&self, table: ObjectId) -> Vec<ObjectId> {
        let is_key = |part: &ObjectId| match &self.object(*part).detail {
            Detail::Constraint(it) => it.index.is_some(),
            Detail::Index(it) => it.unique,
            _ => false,
        };
        self.object(table).parts.iter().copied().filter(is_key).collect()
    }

    /// True when one of these columns is in a key, to which others may point.
    pub(super) fn is_key(&self, table: ObjectId, columns: &[Ident]) -> bool {
        let keys = self.keys_of(table).into_iter();
        let mut keyed = keys.flat_map(|key| match &self.object(key).detail {
            Detail::Constraint(it) => it.columns.as_slice(),
            Detail::Index(it) => it.columns.as_slice(),
            _ => &[],
        });
        keyed.any(|column| columns.contains(self.name_of(*column)))
    }

    /// Rows that point to others go with them, or keep them from going
    /// (<https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK>).
    fn act_on_children(&mut self, table: ObjectId, rekeyed: bool, span: Span) {
        let mut seen = FxHashSet::from_iter([table]);
        let mut pending = vec![table];
        while let Some(parent) = pending.pop() {
            // Who points to a partitioned table points to rows of its partitions.
            let pointed_to = self.ancestors(parent).into_iter().chain([parent]);
            let keys = pointed_to.filter_map(|it| self.relation(it)).map(|it| &it.referenced_by);
            let keys: Vec<_> = keys.flatten().copied().collect();
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
                for one in self.heirs(child).into_iter().chain([child]) {
                    self.touch(one, aspect, op, span);
                    if acts {
                        self.touch(one, Aspect::Behaviour, Op::Read, span);
                        self.touch(one, Aspect::Checked, Op::Add, span);
                    }
                }
                if acts && seen.insert(child) {
                    pending.push(child);
                    for part in self.object(child).parts.clone() {
                        self.pull(part, child, span);
                    }
                }
            }
        }
    }
}
