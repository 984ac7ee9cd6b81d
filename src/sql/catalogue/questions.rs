//! Questions to the server's own catalogue: who asks whether something is there, and
//! what it is like, decides by the answer.

use super::Catalogue;
use super::names::Absent;
use crate::model::Span;
use crate::sql::act::Uses;
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::name::{Ident, QName};

/// What may be asked for by its name alone.
const ASKED_FOR: [Kind; 6] =
    [Kind::Table, Kind::Type, Kind::Routine, Kind::Schema, Kind::Extension, Kind::Role];

/// What belongs to a table and may be asked for with it.
const PARTS: [Kind; 4] = [Kind::Column, Kind::Constraint, Kind::Trigger, Kind::Policy];

/// What is there to be asked about a relation.
const ASPECTS: [Aspect; 9] = [
    Aspect::Columns,
    Aspect::Constraints,
    Aspect::Indexes,
    Aspect::Behaviour,
    Aspect::Security,
    Aspect::Privileges,
    Aspect::Members,
    Aspect::Comment,
    Aspect::References,
];

impl Catalogue {
    /// Strings in a question are looked up as the names of whatever they may be.
    pub(super) fn asked_for(&mut self, uses: &Uses) {
        if !asks(uses) {
            return;
        }
        let named =
            |(kind, name): &(Kind, QName)| Some((*kind, self.peek(*kind, name)?, name.span));
        let mut found: Vec<_> = uses.named.iter().filter_map(named).collect();
        for (text, span) in &uses.literals {
            let name = QName { schema: None, name: text.clone(), span: *span };
            for part in self.known_parts(text) {
                self.touch(part, Aspect::Definition, Op::Read, *span);
            }
            for kind in ASKED_FOR {
                let Some(id) = self.find(kind, &name, Absent::Fine) else { continue };
                self.use_of(id, *span);
                found.push((kind, id, *span));
            }
        }
        let written = uses.relations.iter().find(|it| it.name.is_system() && it.is_changed());
        if let Some(written) = written {
            self.meddle(found.iter().map(|it| it.1).collect(), written.name.span);
        }
        let for_parts_only = asks_for_parts_only(uses);
        for (_, table, span) in found.into_iter().filter(|it| it.0 == Kind::Table) {
            if for_parts_only {
                self.ask_for_parts(table, &uses.asked, span);
            } else {
                self.ask_about(table, &uses.literals, span);
            }
        }
    }

    /// Whether a table has these parts, and what they are like.
    fn ask_for_parts(&mut self, table: ObjectId, parts: &[(Kind, Ident)], span: Span) {
        for (kind, name) in parts {
            if let Some(part) = self.find_part(table, *kind, (name, span), Absent::Fine) {
                self.touch(part, Aspect::Definition, Op::Read, span);
                self.touch(part, Aspect::Behaviour, Op::Read, span);
            }
        }
    }

    /// The server's own tables are written, about these objects.
    fn meddle(&mut self, about: Vec<ObjectId>, span: Span) {
        if about.is_empty() {
            self.remark_opaque("it writes the server's own tables", span, self.soft);
        }
        for object in about {
            self.touch(object, Aspect::Definition, Op::Write, span);
            for column in self.columns_of(object) {
                self.touch(column, Aspect::Definition, Op::Write, span);
            }
        }
    }

    /// Constraints, triggers and policies of this name, and enums' values.
    fn known_parts(&self, name: &Ident) -> Vec<ObjectId> {
        let found = self.parts_by_name.get(name).into_iter().chain(self.labels.get(name));
        found.flatten().copied().collect()
    }

    fn ask_about(&mut self, table: ObjectId, literals: &[(Ident, Span)], span: Span) {
        ASPECTS.into_iter().for_each(|aspect| self.touch(table, aspect, Op::Read, span));
        if self.object(table).kind == Kind::Sequence {
            self.touch(table, Aspect::Rows, Op::Read, span);
        }
        for column in self.columns_of(table) {
            self.touch(column, Aspect::Definition, Op::Read, span);
            self.touch(column, Aspect::Behaviour, Op::Read, span);
        }
        for (text, place) in literals {
            for kind in PARTS {
                self.find_part(table, kind, (text, *place), Absent::Fine);
            }
        }
    }
}

/// True when each question of a statement names one part of a table: `pg_class` and
/// `pg_namespace` only tell which table is meant.
fn asks_for_parts_only(uses: &Uses) -> bool {
    let system = uses.relations.iter().filter(|it| it.name.is_system() && !it.is_changed());
    let mut of_parts = 0;
    for relation in system {
        match relation.name.name.as_str() {
            "pg_class" | "pg_namespace" => {}
            "columns" | "pg_attribute" | "table_constraints" | "pg_constraint" | "triggers"
            | "pg_trigger" | "pg_policies" | "pg_policy" => of_parts += 1,
            _ => return false,
        }
    }
    of_parts > 0 && of_parts == uses.asked.len()
}

/// True for a query of the catalogue, and for a function that is one
/// (<https://www.postgresql.org/docs/current/functions-info.html>).
fn asks(uses: &Uses) -> bool {
    let is_question = |name: &str| {
        let description = matches!(name, "obj_description" | "col_description");
        let definition = name.starts_with("pg_get_") && name != "pg_get_serial_sequence";
        description || definition || name.starts_with("has_")
    };
    let function =
        |(kind, name): &(Kind, QName)| *kind == Kind::Routine && is_question(name.name.as_str());
    uses.relations.iter().any(|it| it.name.is_system()) || uses.objects.iter().any(function)
}
