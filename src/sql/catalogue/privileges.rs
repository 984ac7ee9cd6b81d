//! `GRANT` and `REVOKE`.

use super::Catalogue;
use crate::sql::act::Grant;
use crate::sql::footprint::{Aspect, Op};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;

impl Catalogue {
    /// Privileges are a set, so that grants may change places; what is taken must
    /// have been given. `ALL … IN SCHEMA` means what is there at this moment.
    ///
    /// The lock is stronger than the server's, which takes none before version 18 and
    /// ACCESS SHARE since: two statements that write the relation's own row in
    /// `pg_class` fail with `tuple concurrently updated`, and those that do beside a
    /// GRANT take this lock or more (PG-FACTS 1 and 2).
    pub(super) fn grant(&mut self, grant: &Grant) {
        let op = if grant.give { Op::Add } else { Op::Write };
        let mut roles = Vec::new();
        for role in &grant.roles {
            if let Some(id) = self.wanted(Kind::Role, role) {
                self.use_of(id, role.span);
                roles.push(id);
                if grant.objects.is_empty() && grant.schemas.is_empty() {
                    self.touch(id, Aspect::Privileges, op, role.span);
                }
            } else if grant.objects.is_empty() && grant.schemas.is_empty() {
                self.change_unknown(Kind::Role, role, op);
            }
        }
        for (kind, name) in &grant.objects {
            let Some(id) = self.wanted(*kind, name) else {
                self.change_unknown(*kind, name, op);
                continue;
            };
            self.use_of(id, name.span);
            self.touch(id, Aspect::Privileges, op, name.span);
            // A role that may something keeps from being dropped.
            roles.iter().for_each(|role| self.depend(id, *role));
            if kind.is_relation() {
                self.lock(id, LockMode::ShareUpdateExclusive, name.span);
            }
            for column in &grant.columns {
                if let Some(column) = self.column(id, column, grant.span) {
                    roles.iter().for_each(|role| self.depend(column, *role));
                }
            }
        }
        for schema in &grant.schemas {
            let Some(id) = self.wanted(Kind::Schema, schema) else { continue };
            self.use_of(id, schema.span);
            self.touch(id, Aspect::Members, Op::Read, schema.span);
            for member in self.contents(&schema.name) {
                if !matches!(self.object(member).kind.class(), Kind::Table | Kind::Routine) {
                    continue;
                }
                self.touch(member, Aspect::Privileges, op, schema.span);
                if self.object(member).kind.is_relation() {
                    self.lock(member, LockMode::ShareUpdateExclusive, schema.span);
                }
            }
        }
    }
}
