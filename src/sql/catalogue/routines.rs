//! Functions and types.

use super::Catalogue;
use super::names::Absent;
use super::object::{Body, Column, Detail, Relation, Routine, Scope};
use crate::sql::act::{EnumChange, NewRoutine, NewType, OwnPath};
use crate::sql::footprint::{Aspect, Op};
use crate::sql::kind::Kind;
use crate::sql::name::{Ident, QName};

impl Catalogue {
    /// Functions of one name are one object: which of them a call means depends on
    /// types that are not known here.
    pub(super) fn create_routine(&mut self, new: &NewRoutine) {
        let mut used = self.refer(&new.uses);
        let path = new.path.as_ref().and_then(|path| self.resolved(path));
        used.extend(self.searching(path.as_ref(), |catalogue| catalogue.refer(&new.checked)));
        let scope = self.home(Kind::Routine, &new.name, false);
        let (id, _) = self.make(Kind::Routine, scope, (&new.name.name, new.name.span));
        self.depend_on_all(id, used);
        let (signature, source) = (new.signature.clone(), new.source.clone());
        let entry = Body { signature, acts: new.body.clone(), source, path: path.clone() };
        match &mut self.object_mut(id).detail {
            Detail::Routine(routine) => {
                routine.bodies.retain(|it| it.signature != new.signature);
                routine.bodies.push(entry);
            }
            detail => *detail = Detail::Routine(Routine { bodies: vec![entry] }),
        }
        let body = new.body.clone();
        self.searching(path.as_ref(), |catalogue| {
            catalogue.softly(|catalogue| catalogue.observe(&body));
        });
    }

    /// `None` for the caller's.
    fn resolved(&self, path: &OwnPath) -> Option<Vec<Ident>> {
        match path {
            OwnPath::Fixed(path) => Some(path.searched()),
            OwnPath::Current => Some(self.path.clone()),
            OwnPath::Callers => None,
        }
    }

    /// Looks names up where a function says so.
    pub(super) fn searching<T>(
        &mut self,
        path: Option<&Vec<Ident>>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let callers = path.map(|path| std::mem::replace(&mut self.path, path.clone()));
        let result = work(self);
        if let Some(callers) = callers {
            self.path = callers;
        }
        result
    }

    pub(super) fn set_own_path(&mut self, name: &QName, path: &OwnPath) {
        let path = self.resolved(path);
        let Some(id) = self.peek(Kind::Routine, name) else { return };
        if let Detail::Routine(routine) = &mut self.object_mut(id).detail {
            routine.bodies.iter_mut().for_each(|body| body.path.clone_from(&path));
        }
    }

    pub(super) fn create_type(&mut self, new: &NewType) {
        let span = new.name.span;
        let used = self.refer(&new.uses);
        let scope = self.home(Kind::Type, &new.name, false);
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
                self.touch(ty, Aspect::Value, Op::Write, change.span);
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
