//! What a trigger's function does.

use std::sync::Arc;

use super::Catalogue;
use super::names::Absent;
use super::object::{Body, Detail, Scope, Trigger};
use crate::model::Span;
use crate::sql::act::{Act, ColumnUse};
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::name::Ident;
use crate::sql::read::{fired, is_row};

/// What a trigger's function does for its table, read once.
#[derive(Debug)]
pub(super) struct Fired {
    source: Arc<str>,
    given: Vec<(Ident, String)>,
    acts: Arc<[Act]>,
}

impl Catalogue {
    /// Calls a trigger's function, which knows its table and what the trigger tells it.
    pub(super) fn pull(&mut self, id: ObjectId, table: ObjectId, span: Span) {
        let Detail::Trigger(trigger) = &self.object(id).detail else { return };
        let Some(function) = trigger.function else { return };
        let given = self.told(trigger, table);
        self.calls.push(table);
        self.execute(function, span);
        self.calls.pop();
        let bodies = match &self.object(function).detail {
            Detail::Routine(it) if !self.soft => it.bodies.clone(),
            _ => return,
        };
        bodies.iter().for_each(|body| self.see_row(&body.acts, table, span));
        if self.calls.contains(&function) || !self.followed.insert((id, Vec::new())) {
            return;
        }
        self.calls.push(function);
        for body in bodies {
            let Some(acts) = self.acts_of((id, table), &body, &given) else { continue };
            self.searching(body.path.as_ref(), |catalogue| catalogue.apply_all(&acts));
        }
        self.calls.pop();
    }

    /// What a body does for a trigger of a table. It is read once, however many rows
    /// are written.
    fn acts_of(
        &mut self,
        whose: (ObjectId, ObjectId),
        body: &Body,
        given: &[(Ident, String)],
    ) -> Option<Arc<[Act]>> {
        let source = body.source.as_ref()?;
        let known = self.fired.get(&whose).filter(|it| it.given == given);
        if let Some(known) = known.filter(|it| Arc::ptr_eq(&it.source, source)) {
            return Some(Arc::clone(&known.acts));
        }
        let acts: Arc<[Act]> = fired(source, given).into();
        let fired =
            Fired { source: Arc::clone(source), given: given.to_vec(), acts: Arc::clone(&acts) };
        self.fired.insert(whose, fired);
        Some(acts)
    }

    /// <https://www.postgresql.org/docs/current/plpgsql-trigger.html>
    fn told(&self, trigger: &Trigger, table: ObjectId) -> Vec<(Ident, String)> {
        let name = self.name_of(table).to_string();
        let schema = match &self.key_of(table).scope {
            Scope::Schema(schema) => Some(schema.to_string()),
            _ => None,
        };
        let arguments = trigger.arguments.iter().map(|it| ("tg_argv", it.clone()));
        [("tg_table_name", name.clone()), ("tg_relname", name)]
            .into_iter()
            .chain(schema.map(|schema| ("tg_table_schema", schema)))
            .chain(arguments)
            .map(|(variable, value)| (Ident::new(variable), value))
            .collect()
    }

    /// What a body does with the row that it is called for. What it names need not be
    /// there: one function may serve many tables, and know which one it is called for.
    fn see_row(&mut self, body: &[Act], table: ObjectId, span: Span) {
        for act in body {
            match act {
                Act::Use(uses) => {
                    uses.columns.iter().for_each(|it| self.see_part(it, table, span));
                }
                Act::Block(inner) | Act::Perhaps(inner) => self.see_row(inner, table, span),
                _ => {}
            }
        }
    }

    fn see_part(&mut self, used: &ColumnUse, table: ObjectId, span: Span) {
        let seen = match &used.table {
            Some(row) if is_row(row) => {
                let name = (&used.name, span);
                self.find_part(table, Kind::Column, name, Absent::Fine).into_iter().collect()
            }
            None if is_row(&used.name) => {
                self.touch(table, Aspect::Columns, Op::Read, span);
                self.columns_of(table)
            }
            _ => Vec::new(),
        };
        for column in seen {
            self.touch(column, Aspect::Definition, Op::Read, span);
            self.touch(column, Aspect::Value, Op::Read, span);
        }
    }
}
