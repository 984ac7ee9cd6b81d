//! Comments, security labels, foreign schemas and the rest.

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::tree::{find, idents, large_objects};
use crate::sql::act::{Act, Alteration, AlteredAspect, Uses};
use crate::sql::kind::Kind;
use crate::sql::lock::LockMode;
use crate::sql::name::QName;

impl Reader<'_> {
    pub(super) fn others(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let span = self.span(node);
        match node.kind() {
            S::COMMENT_ON | S::SECURITY_LABEL => {
                acts.push(
                    self.comment(node)
                        .unwrap_or(Act::Opaque("a comment on an unknown object", span)),
                );
            }
            S::IMPORT_FOREIGN_SCHEMA => {
                acts.push(Act::Opaque(
                    "IMPORT FOREIGN SCHEMA makes what only the other server knows",
                    span,
                ));
            }
            S::EXECUTE => acts.push(Act::Opaque("EXECUTE of a prepared statement", span)),
            _ => acts.push(Act::Opaque("a statement that is not known", span)),
        }
    }

    fn comment(self, node: &SyntaxNode) -> Option<Act> {
        let comment = |kind, name, on| {
            Act::Alter(Box::new(Alteration {
                kind,
                name,
                on,
                lock: LockMode::ShareUpdateExclusive,
                aspect: AlteredAspect::Comment,
                uses: Uses::default(),
            }))
        };
        if let Some(column) = find(node, S::QUALIFIED_COLUMN_NAME_REF) {
            let mut parts = idents(&column);
            let span = self.span(&column);
            let name = QName { schema: None, name: parts.pop()?, span };
            return Some(comment(Kind::Column, name, QName::from_parts(&parts, span)));
        }
        let object = node.children().find(|it| it.kind() != S::LITERAL)?;
        let table = self
            .name_in(&object, S::TABLE_NAME_REF)
            .or_else(|| self.name_in(&object, S::RELATION_NAME_REF));
        if let Some(name) = self.name_in(&object, S::CONSTRAINT_NAME_REF) {
            return Some(comment(
                Kind::Constraint,
                name,
                table.or_else(|| self.name_in(&object, S::DOMAIN_REF)),
            ));
        }
        let kind = match object.kind() {
            S::OBJECT_CAST => Some(Kind::Cast),
            S::OBJECT_TRANSFORM => Some(Kind::Transform),
            S::OBJECT_LARGE_OBJECT => {
                return Some(comment(Kind::LargeObject, large_objects(self.span(&object)), None));
            }
            _ => None,
        };
        if let Some(kind) = kind {
            return Some(comment(kind, self.signature_name(&object), None));
        }
        let (kind, name) = self.subject(&object)?;
        let kind = if object.kind() == S::OBJECT_MATERIALIZED_VIEW {
            Kind::MaterializedView
        } else {
            kind
        };
        Some(comment(kind, name, table.filter(|_| !kind.is_relation())))
    }
}
