//! What a relation stands for besides itself.
//!
//! The server refuses a view that reads itself only when it is read, and scripts in
//! an order of our own may say stranger things: so nothing here trusts that there is
//! no circle, and each relation is visited once, however many ways lead to it.

use std::collections::HashSet;

use super::Catalogue;
use crate::sql::footprint::ObjectId;
use crate::sql::kind::Kind;

impl Catalogue {
    /// The relation itself, and if it is a view, all that is read through it.
    pub(super) fn read_through(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut seen = HashSet::new();
        let mut pending = vec![id];
        let mut found = Vec::new();
        while let Some(id) = pending.pop() {
            if !seen.insert(id) {
                continue;
            }
            found.push(id);
            if self.object(id).kind == Kind::View {
                let sources = self.relation(id).map(|it| it.sources.iter().rev());
                pending.extend(sources.into_iter().flatten());
            }
        }
        found
    }

    /// The tables that a table is a part of or inherits from, and theirs.
    pub(super) fn ancestors(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut found = Vec::new();
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let parents = self.relation(id).map(|it| it.parents.as_slice()).unwrap_or_default();
            let new: Vec<_> = parents.iter().copied().filter(|it| !found.contains(it)).collect();
            pending.extend(&new);
            found.extend(new);
        }
        found
    }

    /// The partitions or heirs of a table that are still there, and theirs.
    pub(super) fn heirs(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut seen = HashSet::from([id]);
        let mut pending = vec![id];
        let mut found = Vec::new();
        while let Some(id) = pending.pop() {
            let children = self.relation(id).map(|it| it.children.as_slice()).unwrap_or_default();
            let new = children.iter().copied().filter(|it| !self.object(*it).dropped);
            let new: Vec<_> = new.filter(|it| seen.insert(*it)).collect();
            pending.extend(&new);
            found.extend(new);
        }
        found
    }
}
