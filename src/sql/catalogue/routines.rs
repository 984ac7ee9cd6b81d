//! Functions and types.

use super::Catalogue;
use super::names::Absent;
use super::object::{Body, Column, Detail, Relation, Routine, Scope};
use crate::sql::act::{EnumChange, NewRoutine, NewType};
use crate::sql::footprint::{Aspect, Op};
use crate::sql::kind::Kind;

impl Catalogue {
    /// Functions of one name are one object: which of them a call means depends on
    /// types that are not known here.
    pub(super) fn create_routine(&mut self, new: &NewRoutine) {
        let used = self.refer(&new.uses);
        let scope = self.home(&new.name, false);
        let (id, _) = self.make(Kind::Routine, scope, (&new.name.name, new.name.span));
        for object in used {
            if matches!(
                self.object(object).kind,
                Kind::Type | Kind::Table | Kind::View | Kind::Routine
            ) {
                self.depend(id, object);
            }
        }
        let (signature, source) = (new.signature.clone(), new.source.clone());
        let entry = Body { signature, acts: new.body.clone(), source };
        match &mut self.object_mut(id).detail {
            Detail::Routine(routine) => {
                routine.bodies.retain(|it| it.signature != new.signature);
                routine.bodies.push(entry);
            }
            detail => *detail = Detail::Routine(Routine { bodies: vec![entry] }),
        }
        let body = new.body.clone();
        self.softly(|catalogue| catalogue.observe(&body));
    }

    pub(super) fn create_type(&mut self, new: &NewType) {
        let span = new.name.span;
        let used = self.refer(&new.uses);
        let scope = self.home(&new.name, false);
        let (id, _) = self.make(Kind::Type, scope, (&new.name.name, span));
        for object in used {
            self.depend(id, object);
        }
        for label in &new.labels {
            self.add_label(id, label, span);
        }
        for name in &new.constraints {
            let (constraint, _) = self.make(Kind::Constraint, Scope::Of(id), (name, span));
            self.attach(id, constraint);
        }
        if !new.attributes.is_empty() {
            self.object_mut(id).detail = Detail::Relation(Box::<Relation>::default());
        }
        for name in &new.attributes {
            let (column, _) = self.make(Kind::Column, Scope::Of(id), (name, span));
            self.object_mut(column).detail = Detail::Column(Column::default());
            self.attach(id, column);
            if let Some(relation) = self.relation_mut(id) {
                relation.columns.push(column);
            }
        }
    }

    fn add_label(
        &mut self,
        ty: crate::sql::footprint::ObjectId,
        label: &crate::sql::name::Ident,
        span: crate::model::Span,
    ) {
        let (value, fresh) = self.make(Kind::EnumValue, Scope::Of(ty), (label, span));
        if fresh {
            self.attach(ty, value);
            self.labels.entry(label.clone()).or_default().push(value);
        }
    }

    /// The order of an enum's values is the order in which they were added.
    pub(super) fn change_enum(&mut self, change: &EnumChange) {
        let Some(ty) = self.find(Kind::Type, &change.ty, Absent::Missing) else { return };
        self.use_of(ty, change.ty.span);
        self.touch(ty, Aspect::Sequence, Op::Write, change.span);
        match &change.renamed {
            None => self.add_label(ty, &change.label, change.span),
            Some(old) => {
                let found =
                    self.find_part(ty, Kind::EnumValue, (old, change.span), Absent::Missing);
                if let Some(value) = found {
                    self.move_to(value, Scope::Of(ty), &change.label, change.span);
                    self.labels.entry(change.label.clone()).or_default().push(value);
                }
            }
        }
    }
}
