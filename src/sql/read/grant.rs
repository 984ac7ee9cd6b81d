//! Privileges: `GRANT`, `REVOKE`, default privileges, owners.

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::table::column_names;
use super::tree::{child, reference};
use crate::sql::act::{Act, Grant};

impl Reader<'_> {
    pub(super) fn privileges(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let span = self.span(node);
        match node.kind() {
            S::GRANT | S::REVOKE => acts.push(Act::Grant(self.grant(node))),
            S::ALTER_DEFAULT_PRIVILEGES => {
                acts.push(Act::Barrier(
                    "default privileges concern every object that is made later",
                    span,
                ));
            }
            S::DROP_OWNED => acts.push(Act::Opaque("DROP OWNED drops what is nowhere named", span)),
            _ => acts.push(Act::Opaque("REASSIGN OWNED changes every object of a role", span)),
        }
    }

    fn grant(self, node: &SyntaxNode) -> Grant {
        let targets =
            child(node, S::ON_PRIVILEGE_OBJECTS_CLAUSE).and_then(|on| on.children().next());
        let in_schema =
            targets.as_ref().is_some_and(|it| format!("{:?}", it.kind()).ends_with("IN_SCHEMA"));
        let objects = targets.iter().filter(|_| !in_schema).flat_map(|targets| {
            let skip = |it: &SyntaxNode| it.ancestors().any(|up| up.kind() == S::PARAM_LIST);
            targets
                .descendants()
                .filter(|it| !skip(it))
                .filter_map(|it| Some((reference(it.kind())?, self.name(&it)?)))
                .collect::<Vec<_>>()
        });
        let schemas = targets.iter().filter(|_| in_schema);
        let schemas =
            schemas.flat_map(|targets| self.names_below(targets, S::SCHEMA_REF)).collect();
        let privileges =
            child(node, S::REVOKE_COMMAND_LIST).or_else(|| child(node, S::ALL_PRIVILEGES));
        // Without ON, roles are granted: those that stand for privileges count too.
        let granted = privileges.iter().filter(|_| targets.is_none());
        let granted = granted.flat_map(|list| self.names_below(list, S::ROLE_NAME_REF));
        let to =
            child(node, S::ROLE_REF_LIST).map(|list| self.names_below(&list, S::ROLE_NAME_REF));
        Grant {
            give: node.kind() == S::GRANT,
            objects: objects.collect(),
            columns: privileges.as_ref().map(column_names).unwrap_or_default(),
            schemas,
            roles: granted.chain(to.unwrap_or_default()).collect(),
            span: self.span(node),
        }
    }
}
