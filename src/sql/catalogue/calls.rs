//! Functions of ours: what executing one does.

use super::Catalogue;
use super::object::{Body, Detail};
use crate::model::Span;
use crate::sql::act::{Act, Call};
use crate::sql::footprint::ObjectId;
use crate::sql::kind::Kind;
use crate::sql::read::called;

/// Functions that call functions: what is deeper is left out.
const MAX_CALLS: usize = 50;

/// As many calls of one statement are followed with their arguments.
const MAX_FOLLOWED: usize = 300;

impl Catalogue {
    /// The functions that a default, a check, a trigger's condition or a view calls.
    pub(super) fn routines_below(&self, id: ObjectId) -> Vec<ObjectId> {
        self.routines_among(&self.object(id).foundations)
    }

    /// Calls the functions among `used`: an expression that is worked out for the rows
    /// that are there.
    pub(super) fn execute_all(&mut self, used: &[ObjectId], span: Span) {
        self.routines_among(used).into_iter().for_each(|it| self.execute(it, span));
    }

    fn routines_among(&self, objects: &[ObjectId]) -> Vec<ObjectId> {
        objects.iter().copied().filter(|it| self.object(*it).kind == Kind::Routine).collect()
    }

    /// A function of ours that is called where no script names it.
    pub(super) fn execute(&mut self, routine: ObjectId, span: Span) {
        self.use_of(routine, span);
        self.call(routine);
    }

    /// Executes the body of a function of ours.
    pub(super) fn call(&mut self, routine: ObjectId) {
        if self.soft || self.calls.len() >= MAX_CALLS || !self.called.insert(routine) {
            return;
        }
        // What an aggregate is made of, and what stands for an argument left out.
        for below in self.routines_below(routine) {
            self.execute(below, self.statement);
        }
        let bodies = match &self.object(routine).detail {
            Detail::Routine(it) => it.bodies.clone(),
            _ => return,
        };
        // A function that is executed with the rights of its owner may be this one.
        let role = self.other_role;
        self.other_role |= self.object(routine).given_away;
        for body in bodies {
            let path = body.path.as_ref();
            self.searching(path, |catalogue| catalogue.carry_out(routine, &body.acts));
        }
        self.other_role = role;
    }

    /// Does what a function or a rule says.
    pub(super) fn carry_out(&mut self, whose: ObjectId, body: &[Act]) {
        self.calls.push(whose);
        self.perform(body);
        self.calls.pop();
    }

    /// Executes a function of ours whose arguments tell what it does.
    pub(super) fn call_with(&mut self, call: &Call) {
        let Some(routine) = self.peek(Kind::Routine, &call.name).filter(|_| !self.soft) else {
            return;
        };
        let bodies = match &self.object(routine).detail {
            Detail::Routine(it) => it.bodies.clone(),
            _ => return,
        };
        let with_source = |body: Body| Some((body.source?, body.path));
        let sources: Vec<_> = bodies.into_iter().filter_map(with_source).collect();
        let known = sources.is_empty() || self.calls.contains(&routine);
        if known || !self.followed.insert((routine, call.arguments.clone())) {
            return;
        }
        if self.calls.len() >= MAX_CALLS || self.followed.len() > MAX_FOLLOWED {
            self.remark_opaque("functions that call each other too often", call.name.span, false);
            return;
        }
        self.calls.push(routine);
        for (source, path) in sources {
            let acts = called(&source, &call.arguments);
            self.searching(path.as_ref(), |catalogue| catalogue.apply_all(&acts));
        }
        self.calls.pop();
    }

    /// A body's statements are those of the function's own text: a span in it
    /// would point into another file, so the place of the call is what counts.
    fn perform(&mut self, body: &[Act]) {
        for act in body {
            match act {
                Act::Use(_) => self.apply(act),
                Act::Opaque(why, span) => self.remark_opaque(why, *span, true),
                Act::Block(inner) | Act::Perhaps(inner) => self.perform(inner),
                // What a function makes, it makes under conditions that nobody
                // knows here.
                _ => {}
            }
        }
    }

    /// The names in a body that nobody has called.
    pub(super) fn observe(&mut self, body: &[Act]) {
        for act in body {
            match act {
                Act::Use(uses) => drop(self.refer(uses)),
                Act::Block(inner) | Act::Perhaps(inner) => self.observe(inner),
                Act::Opaque(..) => self.apply(act),
                _ => {}
            }
        }
    }
}
