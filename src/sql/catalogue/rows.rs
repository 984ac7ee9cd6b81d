//! Rows: what reads and writes them, and which of them are numbered.

use super::Catalogue;
use super::object::{Detail, Relation};
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
            if relation.is_open() {
                self.touch(id, Aspect::Value, Op::Read, span);
            }
            for column in if id == table { objects } else { &all } {
                let of_table = self.object(*column).parent == Some(id);
                if of_table && self.object(*column).kind == Kind::Column {
                    self.touch(*column, Aspect::Value, Op::Read, span);
                    // What an enum's values are called is seen, too.
                    let ty = self.type_of(*column);
                    ty.into_iter().for_each(|ty| self.touch(ty, Aspect::Value, Op::Read, span));
                }
            }
        }
    }

    /// Gives columns other values; `None`: any. Which rows there are stays the same.
    fn write_values(&mut self, table: ObjectId, columns: Option<&[Ident]>, span: Span) {
        self.touch(table, Aspect::Values, Op::Write, span);
        self.touch(table, Aspect::RowOrder, Op::Add, span);
        self.touch(table, Aspect::RowPlace, Op::Add, span);
        if self.relation(table).is_some_and(Relation::is_open) {
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
    pub(super) fn sets_others(&self, table: ObjectId) -> bool {
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
            if behind == id {
                self.access_own_rows(id, access, span);
            } else {
                self.access_own_rows(behind, &seen_through(access), span);
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
            RowAccess::Merge => {
                self.takes_numbers(id, &Given::First(0), span);
                (LockMode::RowExclusive, Op::Write)
            }
        };
        self.lock(id, mode, span);
        self.touch_rows(id, access, op, span);
        let changes = !matches!(access, RowAccess::Read | RowAccess::Lock);
        if changes && !matches!(access, RowAccess::Update(_)) {
            self.change_elsewhere(id, span);
        }
        for heir in self.heirs(id) {
            self.lock(heir, mode, span);
            self.touch_rows(heir, access, op, span);
            if changes {
                self.fire(heir, access, span);
            }
        }
        if changes {
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
            _ => {
                self.touch(id, Aspect::Rows, op, span);
                self.touch(id, Aspect::RowOrder, Op::Add, span);
            }
        }
    }

    /// Rows are numbered, or picked, in the order in which they are found.
    pub(super) fn read_order(&mut self, table: ObjectId, span: Span) {
        for behind in self.read_through(table) {
            self.touch(behind, Aspect::RowOrder, Op::Read, span);
            for heir in self.heirs(behind) {
                self.touch(heir, Aspect::RowOrder, Op::Read, span);
            }
        }
    }

    /// Rows get numbers as they are found: by the places where they stand and, of several
    /// tables, by the way that the planner takes.
    pub(super) fn number_rows(&mut self, tables: &[(ObjectId, Span)]) {
        for (table, span) in tables {
            self.read_order(*table, *span);
            for behind in self.read_through(*table) {
                self.touch(behind, Aspect::RowPlace, Op::Read, *span);
                if tables.len() > 1 {
                    self.touch(behind, Aspect::Indexes, Op::Read, *span);
                }
            }
        }
    }

    /// True when a row with these values takes a number from a sequence: which one
    /// depends on the order, and on who else takes from it.
    pub(super) fn takes_numbers(&mut self, table: ObjectId, given: &Given, span: Span) -> bool {
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
}

/// What an access to a view is to what stands behind it: that may call its columns
/// differently, and have more.
fn seen_through(access: &RowAccess) -> RowAccess {
    match access {
        RowAccess::Update(_) => RowAccess::Update(None),
        RowAccess::Insert { upsert, .. } => {
            RowAccess::Insert { columns: None, given: Given::First(0), upsert: *upsert }
        }
        access => access.clone(),
    }
}
