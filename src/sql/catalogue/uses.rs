//! Queries and expressions.
//!
//! An expression that is only stored (a default, a check, a view's query) *refers*
//! to objects. One that is executed also reads and writes rows, fires triggers and
//! calls functions.

use rustc_hash::FxHashSet;

use super::Catalogue;
use super::names::Absent;
use super::object::Detail;
use crate::model::Span;
use crate::sql::act::{ColumnUse, RelationUse, RowAccess, Uses};
use crate::sql::builtin;
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::{Ident, QName};

/// A relation of a query that was found.
struct Found {
    id: ObjectId,
    /// `None` when it may have any: a function's rows.
    alias: Option<Ident>,
    span: Span,
}

impl Catalogue {
    /// What `uses` names is needed; returns the objects.
    pub(super) fn refer(&mut self, uses: &Uses) -> Vec<ObjectId> {
        self.look_up(uses).0
    }

    /// `uses` is executed now.
    pub(super) fn run(&mut self, uses: &Uses) {
        let (objects, relations) = self.look_up(uses);
        if let Some(span) = uses.lists {
            self.remark_opaque("it asks the server for all that is there", span, self.soft);
        }
        self.take_in_order(uses, &relations);
        for (id, access, span) in relations {
            self.access_rows(id, &access, span);
            self.read_values(id, &objects, span);
            if !matches!(access, RowAccess::Read | RowAccess::Lock) {
                self.names_written(id, &uses.literals);
            }
        }
        for (kind, name) in &uses.objects {
            match kind {
                Kind::Routine => {
                    self.peek(*kind, name).into_iter().for_each(|it| self.call(it));
                }
                Kind::Operator | Kind::Type => {
                    let functions = self.peek(*kind, name).map(|it| self.routines_below(it));
                    let functions = functions.unwrap_or_default();
                    functions.into_iter().for_each(|it| self.execute(it, name.span));
                }
                _ => {}
            }
        }
        for column in uses.columns.iter().filter(|it| it.table.is_some()) {
            let name = QName { schema: None, name: column.name.clone(), span: column.span };
            self.peek(Kind::Routine, &name).into_iter().for_each(|it| self.call(it));
        }
        for (table, column) in &uses.numbered {
            let table = self.peek(Kind::Table, table);
            let column = table.and_then(|table| self.column(table, column, self.statement));
            let sequences = column.map(|column| self.sequences_of(column)).unwrap_or_default();
            sequences.into_iter().for_each(|it| self.take_number(it, self.statement));
        }
        for (kind, name) in &uses.named {
            if *kind == Kind::Sequence
                && let Some(sequence) = self.peek(Kind::Sequence, name)
            {
                self.take_number(sequence, name.span);
                self.lock(sequence, LockMode::RowExclusive, name.span);
            }
        }
    }

    /// Without a written order, rows are numbered or picked in the one in which they are
    /// found.
    fn take_in_order(&mut self, uses: &Uses, relations: &[(ObjectId, RowAccess, Span)]) {
        let found = |access: &RowAccess| matches!(access, RowAccess::Read | RowAccess::Update(_));
        let read = relations.iter().filter(|it| found(&it.1)).map(|(id, _, span)| (*id, *span));
        let read: Vec<_> = read.collect();
        if uses.sorted {
            return;
        }
        if self.is_numbered(uses, relations) {
            self.number_rows(&read);
        } else if uses.picks {
            read.into_iter().for_each(|(id, span)| self.read_order(id, span));
        }
    }

    /// True when each row gets a number.
    fn is_numbered(&mut self, uses: &Uses, relations: &[(ObjectId, RowAccess, Span)]) -> bool {
        let named = uses.named.iter().any(|(kind, _)| *kind == Kind::Sequence);
        let takes = |(id, access, span): &(ObjectId, RowAccess, Span)| match access {
            RowAccess::Insert { given, .. } => self.takes_numbers(*id, given, *span),
            _ => false,
        };
        named || relations.iter().any(takes)
    }

    fn look_up(&mut self, uses: &Uses) -> (Vec<ObjectId>, Vec<(ObjectId, RowAccess, Span)>) {
        let mut found = Vec::new();
        let mut accessed = Vec::new();
        for relation in &uses.relations {
            if let Some(one) = self.relation_use(relation) {
                accessed.push((one.id, relation.access.clone(), one.span));
                found.push(one);
            }
        }
        let mut objects: Vec<_> = found.iter().map(|one| one.id).collect();
        for relation in uses.relations.iter().filter(|it| it.star) {
            let id = self.peek(Kind::Table, &relation.name);
            objects.extend(id.into_iter().flat_map(|id| self.columns_of(id)));
        }
        for (kind, name) in uses.objects.iter().chain(&uses.named) {
            let Some(id) = self.find_use(*kind, name) else { continue };
            self.use_of(id, name.span);
            if *kind == Kind::Type && self.object(id).kind.is_relation() {
                // A row of it as a whole.
                self.all_columns(id, name.span);
            }
            if kind.is_relation() && self.relation(id).is_some() {
                found.push(Found { id, alias: Some(name.name.clone()), span: name.span });
            }
            if *kind == Kind::Routine {
                let rows = self.rows_of(id, name.span);
                rows.iter().for_each(|one| self.all_columns(one.id, one.span));
                found.extend(rows);
                let types = self.object(id).foundations.clone();
                objects.extend(self.composites(&types, name.span));
            }
            objects.push(id);
        }
        for column in &uses.columns {
            let columns = self.column_use(column, &found);
            let types: Vec<_> = columns.iter().filter_map(|it| self.type_of(*it)).collect();
            objects.extend(columns);
            objects.extend(self.composites(&types, column.span));
        }
        // A body has to do with its function's types, and a trigger's with its table.
        let about = [objects.as_slice(), self.calls.as_slice()].concat();
        self.enum_values(&uses.literals, &about);
        for name in &uses.converted {
            let ty = self.peek(Kind::Type, name);
            ty.into_iter().for_each(|ty| self.touch(ty, Aspect::Sequence, Op::Read, name.span));
        }
        if uses.grouped {
            objects.extend(found.iter().filter_map(|one| self.primary_key_of(one.id, one.span)));
        }
        self.asked_for(uses);
        (objects, accessed)
    }

    /// The key that stands for all columns of a table
    /// (<https://www.postgresql.org/docs/current/sql-select.html#SQL-GROUPBY>).
    fn primary_key_of(&mut self, table: ObjectId, span: Span) -> Option<ObjectId> {
        let is_primary = |part: &&ObjectId| matches!(&self.object(**part).detail, Detail::Constraint(it) if it.primary);
        if let Some(key) = self.object(table).parts.iter().find(is_primary).copied() {
            self.use_of(key, span);
            return Some(key);
        }
        None
    }

    fn find_use(&mut self, kind: Kind, name: &QName) -> Option<ObjectId> {
        let found = match kind {
            Kind::Type => return self.find_type(name),
            // Nothing but their functions says what is done to them.
            Kind::LargeObject => {
                self.change_name(kind, name, Op::Write);
                return None;
            }
            // A built-in one is in every other expression, and nobody's.
            Kind::Operator => return self.peek(kind, name),
            // A type's name makes a value of it.
            Kind::Routine => self.peek(kind, name).or_else(|| self.peek(Kind::Type, name)),
            Kind::Language
            | Kind::AccessMethod
            | Kind::ForeignDataWrapper
            | Kind::TextSearchDictionary => self.named_like_extension(kind, name),
            _ => None,
        };
        found.or_else(|| self.find(kind, name, Absent::Missing))
    }

    /// Extensions call what they are made for by their own name.
    pub(super) fn named_like_extension(&self, kind: Kind, name: &QName) -> Option<ObjectId> {
        self.peek(kind, name).or_else(|| self.peek(Kind::Extension, name))
    }

    /// A type may be a table's row type, or come with a range
    /// (<https://www.postgresql.org/docs/current/sql-createtype.html>); a built-in one
    /// is nobody's, and found before all others
    /// (<https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-CATALOG>).
    pub(super) fn find_type(&mut self, name: &QName) -> Option<ObjectId> {
        let text = name.name.as_str();
        if name.schema.is_none() && builtin::is_type(text) {
            return None;
        }
        if let Some(id) = self.peek(Kind::Type, name).or_else(|| self.peek(Kind::Table, name)) {
            return Some(id);
        }
        if text.contains("multirange") {
            let range = [text.replace("multirange", "range"), text.replace("_multirange", "")];
            let of = |it: &String| QName { name: Ident::new(it), ..name.clone() };
            let found = range.iter().find_map(|it| self.peek(Kind::Type, &of(it)));
            if found.is_some() {
                return found;
            }
        }
        self.note_missing(Kind::Table, name);
        self.find(Kind::Type, name, Absent::Missing)
    }

    /// A string in a column of names is looked up like a name.
    fn names_written(&mut self, table: ObjectId, literals: &[(Ident, Span)]) {
        let kind = |column: ObjectId| match &self.object(column).detail {
            Detail::Column(column) => column.names,
            _ => None,
        };
        let kinds: Vec<_> = self.columns_of(table).into_iter().filter_map(kind).collect();
        for kind in kinds {
            for (text, span) in literals {
                let name = QName { schema: None, name: text.clone(), span: *span };
                let found = self.find(kind, &name, Absent::Fine);
                found.into_iter().for_each(|it| self.use_of(it, *span));
            }
        }
    }

    fn relation_use(&mut self, used: &RelationUse) -> Option<Found> {
        if used.name.is_system() && self.peek(Kind::Table, &used.name).is_none() {
            return None;
        }
        let id = self.find(Kind::Table, &used.name, Absent::Missing)?;
        let span = used.name.span;
        self.use_of(id, span);
        if used.star {
            self.all_columns(id, span);
        }
        if let RowAccess::Insert { columns: Some(columns), .. } | RowAccess::Update(Some(columns)) =
            &used.access
        {
            for column in columns {
                self.column(id, column, span);
            }
        }
        let alias = used.alias.clone().unwrap_or_else(|| used.name.name.clone());
        Some(Found { id, alias: Some(alias), span })
    }

    /// The tables whose rows a function may return.
    fn rows_of(&self, routine: ObjectId, span: Span) -> Vec<Found> {
        let foundations = self.object(routine).foundations.iter();
        let tables = foundations.filter(|it| self.object(**it).kind.is_relation());
        tables.map(|id| Found { id: *id, alias: None, span }).collect()
    }

    /// The composite types among these. Who has a row of one in hand uses it: what a
    /// part of it is called and what it holds is said there.
    fn composites(&mut self, types: &[ObjectId], span: Span) -> Vec<ObjectId> {
        let is =
            |id: &ObjectId| self.object(*id).kind == Kind::Type && self.relation(*id).is_some();
        let found: Vec<_> = types.iter().copied().filter(is).collect();
        found.iter().for_each(|id| self.use_of(*id, span));
        found
    }

    pub(super) fn type_of(&self, column: ObjectId) -> Option<ObjectId> {
        match &self.object(column).detail {
            Detail::Column(it) => it.ty,
            _ => None,
        }
    }

    /// `*`, or a row as a whole.
    pub(super) fn all_columns(&mut self, id: ObjectId, span: Span) {
        self.touch(id, Aspect::Columns, Op::Read, span);
        for column in self.columns_of(id) {
            self.touch(column, Aspect::Definition, Op::Read, span);
        }
    }

    pub(super) fn columns_of(&self, id: ObjectId) -> Vec<ObjectId> {
        self.relation(id).map(|it| it.columns.clone()).unwrap_or_default()
    }

    /// A column by name; a note is made when there is none.
    pub(super) fn column(&mut self, table: ObjectId, name: &Ident, span: Span) -> Option<ObjectId> {
        let column = self.find_part(table, Kind::Column, (name, span), Absent::Missing)?;
        self.touch(column, Aspect::Definition, Op::Read, span);
        Some(column)
    }

    /// A name in an expression: a column of each table that has one, or a table's
    /// row as a whole.
    fn column_use(&mut self, used: &ColumnUse, found: &[Found]) -> Vec<ObjectId> {
        let mut columns = Vec::new();
        for one in found {
            if used
                .table
                .as_ref()
                .zip(one.alias.as_ref())
                .is_some_and(|(table, alias)| table != alias)
            {
                continue;
            }
            match self.part(one.id, Kind::Column, &used.name) {
                Some(column) => {
                    self.touch(column, Aspect::Definition, Op::Read, used.span);
                    columns.push(column);
                }
                None if used.table.is_none() && one.alias.as_ref() == Some(&used.name) => {
                    self.all_columns(one.id, one.span);
                    columns.extend(self.columns_of(one.id));
                }
                None => {}
            }
        }
        if columns.is_empty() && !self.attribute(used, found) {
            self.missing_column(used, found);
        } else if used.table.is_none() {
            // It would mean another's, or nothing certain, if that had one too.
            for one in found.iter().filter(|one| one.alias.is_some()) {
                let name = (&used.name, used.span);
                self.find_part(one.id, Kind::Column, name, Absent::Fine);
            }
        }
        columns
    }

    /// `t.f` calls `f(t)` where `t` has no column of the name
    /// (<https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-USAGE>).
    fn attribute(&mut self, used: &ColumnUse, found: &[Found]) -> bool {
        let name = QName { schema: None, name: used.name.clone(), span: used.span };
        let routine = used.table.as_ref().and_then(|_| self.peek(Kind::Routine, &name));
        let Some(routine) = routine else { return false };
        self.use_of(routine, used.span);
        for one in found.iter().filter(|one| one.alias == used.table) {
            self.all_columns(one.id, one.span);
            for column in self.columns_of(one.id) {
                self.touch(column, Aspect::Value, Op::Read, used.span);
            }
        }
        true
    }

    /// A column that is in none of the tables may be added by a migration that comes
    /// later. What is said to be of no table may be a variable, until one has it.
    fn missing_column(&mut self, used: &ColumnUse, found: &[Found]) {
        if used.table.is_some() && !used.sure {
            return;
        }
        let fits = |one: &&Found| match (&used.table, &one.alias) {
            (_, None) => false,
            (Some(table), Some(alias)) => table == alias,
            (None, Some(alias)) => used.name != *alias,
        };
        let absent = if used.sure { Absent::Missing } else { Absent::Fine };
        for one in found.iter().filter(fits) {
            self.find_part(one.id, Kind::Column, (&used.name, used.span), absent);
        }
    }

    /// Strings that are values of an enum which the statement has to do with.
    pub(super) fn enum_values(&mut self, literals: &[(Ident, Span)], objects: &[ObjectId]) {
        let mut near = None;
        for (text, span) in literals {
            let Some(values) = self.labels.get(text).cloned() else { continue };
            let near = near.get_or_insert_with(|| self.made_of(objects));
            for value in values {
                if self.object(value).parent.is_some_and(|ty| near.contains(&ty)) {
                    self.touch(value, Aspect::Definition, Op::Read, *span);
                }
            }
        }
    }

    /// What these objects are made of: a table of its columns, a column of its type, a
    /// domain of the type below, a function of its arguments, a view or a table of a
    /// query of its tables.
    fn made_of(&self, objects: &[ObjectId]) -> FxHashSet<ObjectId> {
        let mut near: FxHashSet<_> = objects.iter().copied().collect();
        let mut pending: Vec<_> = near.iter().copied().collect();
        while let Some(id) = pending.pop() {
            let object = self.object(id);
            let relation = self.relation(id);
            let columns = relation.map(|it| it.columns.as_slice()).unwrap_or_default();
            let sources = relation.map(|it| it.sources.as_slice()).unwrap_or_default();
            let below = object.foundations.iter().chain(columns).chain(sources).copied();
            pending.extend(below.filter(|it| near.insert(*it)));
        }
        near
    }

    /// Takes a lock that others can feel.
    pub(super) fn lock(&mut self, id: ObjectId, mode: LockMode, span: Span) {
        if !self.soft && !self.object(id).temporary {
            let span = self.place(span);
            self.now.lock(id, mode, span);
        }
    }
}
