//! Views.

use super::Catalogue;
use super::object::{Column, Detail, Scope};
use crate::sql::act::NewView;
use crate::sql::footprint::{Aspect, ObjectId, Op};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;

impl Catalogue {
    pub(super) fn create_view(&mut self, view: &NewView) {
        let span = view.name.span;
        let sources = self.sources(view);
        let scope = self.home(view.kind, &view.name, view.temporary);
        // What the view is made of is looked up in any case.
        let name = (&view.name.name, span);
        let (id, fresh) = self.perhaps_if(view.replace, |it| it.make(view.kind, scope, name));
        self.lock(id, LockMode::AccessExclusive, span);
        if !fresh {
            self.touch(id, Aspect::Columns, Op::Write, span);
            self.forget_columns(id);
        }
        for source in &sources {
            self.depend(id, *source);
        }
        let tables: Vec<_> =
            sources.into_iter().filter(|it| self.relation(*it).is_some()).collect();
        if view.kind == Kind::MaterializedView {
            // Its rows are those of its tables at this moment.
            self.run(&view.uses);
        }
        if let Some(relation) = self.relation_mut(id) {
            relation.sources = tables;
        }
        if view.columns.is_none() {
            self.open(id);
        }
        for column in view.columns.iter().flatten() {
            let (column, fresh) = self.make(Kind::Column, Scope::Of(id), (column, span));
            if fresh {
                self.object_mut(column).detail = Detail::Column(Column::default());
                self.attach(id, column);
            }
            if let Some(relation) = self.relation_mut(id) {
                relation.columns.push(column);
            }
        }
        if view.columns.is_none() {
            self.copy_source_columns(id, span);
        }
    }

    fn sources(&mut self, view: &NewView) -> Vec<ObjectId> {
        let found = self.refer(&view.uses);
        self.lock_read(&view.uses);
        found
    }

    fn forget_columns(&mut self, id: ObjectId) {
        if let Some(relation) = self.relation_mut(id) {
            relation.columns.clear();
        }
    }

    /// `SELECT *` from one table has that table's columns; of anything else the
    /// names are not known.
    fn copy_source_columns(&mut self, id: ObjectId, span: crate::model::Span) {
        let sources = self.relation(id).map(|it| it.sources.clone()).unwrap_or_default();
        let [source] = sources[..] else { return };
        let columns = self.relation(source).map(|it| it.columns.clone()).unwrap_or_default();
        for column in columns {
            let name = self.name_of(column).clone();
            let (column, fresh) = self.make(Kind::Column, Scope::Of(id), (&name, span));
            if fresh {
                self.object_mut(column).detail = Detail::Column(Column::default());
                self.attach(id, column);
            }
            if let Some(relation) = self.relation_mut(id) {
                relation.columns.push(column);
            }
        }
    }
}
