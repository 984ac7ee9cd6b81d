//! Rows: what reads and writes them, and what a change of them sets off.

use rustc_hash::FxHashSet;

use super::Catalogue;
use super::object::Detail;
use crate::model::Span;
use crate::sql::act::{Given, RowAccess};
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

    /// Gives columns other values; `None`: any. Which rows there are stays the same.
    fn write_values(&mut self, table: ObjectId, columns: Option<&[Ident]>, span: Span) {
        self.touch(table, Aspect::Values, Op::Write, span);
        if self.relation(table).is_some_and(|it| it.open) {
            self.touch(table, Aspect::Value, Op::Write, span);
        }
        let given = columns.filter(|_| !self.sets_others(table));
        for column in self.columns_of(table) {
            let name = self.name_of(column).clone();
            if given.is_some_and(|given| !given.contains(&name)) {
                continue;
            }
            self.touch(column, Aspect::Value, Op::Write, span);
            // It is seen through the tables that this one inherits from.
            for above in self.ancestors(table) {
                if let Some(column) = self.part(above, Kind::Column, &name) {
                    self.touch(column, Aspect::Value, Op::Write, span);
                }
            }
        }
    }

    /// True when a change of one column may change others: a trigger, or a column that
    /// is worked out from others.
    fn sets_others(&self, table: ObjectId) -> bool {
        self.object(table).parts.iter().any(|part| match &self.object(*part).detail {
            Detail::Trigger(_) => true,
            Detail::Column(column) => column.generated,
            _ => false,
        })
    }

    /// Which rows there are counts, and what stands in them.
    pub(super) fn read_rows(&mut self, table: ObjectId, span: Span) {
        self.touch(table, Aspect::Rows, Op::Read, span);
        self.touch(table, Aspect::Values, Op::Read, span);
    }

    /// Reads or writes rows of a table, or of those behind a view: an updatable view
    /// writes its table.
    pub(super) fn access_rows(&mut self, id: ObjectId, access: &RowAccess, span: Span) {
        for behind in self.read_through(id) {
            if self.object(behind).kind == Kind::View {
                self.use_of(behind, span);
                // It is read with the rights of its owner.
                if self.object(behind).given_away {
                    let sources = self.relation(behind).map(|it| it.sources.clone());
                    sources.iter().flatten().for_each(|it| self.ask_leave(*it, span));
                }
                self.routines_below(behind).into_iter().for_each(|it| self.execute(it, span));
            }
            match access {
                // The view may call its columns differently.
                RowAccess::Update(_) if behind != id => {
                    self.access_own_rows(behind, &RowAccess::Update(None), span);
                }
                _ => self.access_own_rows(behind, access, span),
            }
        }
    }

    fn access_own_rows(&mut self, id: ObjectId, access: &RowAccess, span: Span) {
        let (mode, op) = match access {
            RowAccess::Read => (LockMode::AccessShare, Op::Read),
            RowAccess::Lock => (LockMode::RowShare, Op::Read),
            RowAccess::Insert { given, upsert, .. } => {
                let counts = self.takes_numbers(id, given, span);
                (LockMode::RowExclusive, if *upsert || counts { Op::Write } else { Op::Add })
            }
            RowAccess::Update(columns) => {
                self.renumber(id, columns.as_deref(), span);
                (LockMode::RowExclusive, Op::Read)
            }
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
                self.write_values(id, columns.as_deref(), span);
            }
            (_, Op::Read) => self.read_rows(id, span),
            _ => self.touch(id, Aspect::Rows, op, span),
        }
    }

    /// True when a row with these values takes a number from a sequence: which one
    /// depends on the order, and on who else takes from it.
    fn takes_numbers(&mut self, table: ObjectId, given: &Given, span: Span) -> bool {
        let columns = self.columns_of(table).into_iter().enumerate();
        let left_out = |(place, id): (usize, ObjectId)| {
            let given = match given {
                Given::All => true,
                Given::First(count) => place < *count,
                Given::Columns(names) => names.contains(self.name_of(id)),
            };
            (!given && self.counts(id)).then_some(id)
        };
        let counting: Vec<_> = columns.filter_map(left_out).collect();
        counting.iter().for_each(|it| self.take_numbers(*it, span));
        !counting.is_empty()
    }

    /// `SET id = DEFAULT` takes a number too.
    fn renumber(&mut self, table: ObjectId, columns: Option<&[Ident]>, span: Span) {
        for column in self.columns_of(table) {
            let set = columns.is_none_or(|columns| columns.contains(self.name_of(column)));
            if set && self.counts(column) {
                self.take_numbers(column, span);
            }
        }
    }

    fn take_numbers(&mut self, column: ObjectId, span: Span) {
        self.sequences_of(column).into_iter().for_each(|it| self.take_number(it, span));
    }

    /// True when a row that does not name this column takes a number.
    fn counts(&self, column: ObjectId) -> bool {
        matches!(&self.object(column).detail, Detail::Column(it) if it.counts)
            || !self.sequences_of(column).is_empty()
    }

    /// What a column owns, or its default names, or that of its domain.
    pub(super) fn sequences_of(&self, column: ObjectId) -> Vec<ObjectId> {
        let object = self.object(column);
        let of_domains = self.domains_of(column).into_iter();
        let of_domains = of_domains.flat_map(|it| self.object(it).foundations.iter());
        let all = object.parts.iter().chain(&object.foundations).chain(of_domains).copied();
        all.filter(|it| self.object(*it).kind == Kind::Sequence).collect()
    }

    /// The type of a column, and the types that it is made of.
    pub(super) fn domains_of(&self, column: ObjectId) -> Vec<ObjectId> {
        let mut found = Vec::new();
        let mut pending: Vec<_> = self.type_of(column).into_iter().collect();
        while let Some(ty) = pending.pop() {
            if self.object(ty).kind == Kind::Type && !found.contains(&ty) {
                found.push(ty);
                pending.extend(&self.object(ty).foundations);
            }
        }
        found
    }

    pub(super) fn take_number(&mut self, sequence: ObjectId, span: Span) {
        self.use_of(sequence, span);
        self.touch(sequence, Aspect::Rows, Op::Write, span);
        self.touch(sequence, Aspect::Behaviour, Op::Read, span);
    }

    /// What a change of rows brings with it: constraints, foreign keys, triggers.
    fn fire(&mut self, table: ObjectId, access: &RowAccess, span: Span) {
        self.touch(table, Aspect::Behaviour, Op::Read, span);
        match access {
            RowAccess::Insert { upsert: false, .. } => {}
            RowAccess::Insert { .. } => {
                // The key that decides must be there, under the name that is given.
                self.touch(table, Aspect::Constraints, Op::Read, span);
                self.keys_of(table).into_iter().for_each(|it| self.use_of(it, span));
                self.touch(table, Aspect::Checked, Op::Add, span);
            }
            _ => {
                self.touch(table, Aspect::Checked, Op::Add, span);
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
                Detail::Trigger(_) => self.pull(part, table, span),
                Detail::Column(_) => {
                    // What a domain demands.
                    let domains = self.domains_of(part).into_iter();
                    functions.extend(domains.flat_map(|it| self.routines_below(it)));
                    self.whole_rows_of(part, span);
                }
                Detail::Rule(body) if !self.calls.contains(&part) => {
                    let body = body.clone();
                    self.carry_out(part, &body);
                }
                Detail::Index(_) => {}
                _ => continue,
            }
            functions.into_iter().for_each(|it| self.execute(it, span));
        }
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
    fn is_key(&self, table: ObjectId, columns: &[Ident]) -> bool {
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
                if acts {
                    self.touch(child, Aspect::Behaviour, Op::Read, span);
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
