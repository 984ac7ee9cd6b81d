//! `DROP` in all its forms.

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::routine::signature;
use super::tree::{has, reference, tokens};
use crate::sql::act::{Act, Removal};
use crate::sql::kind::Kind;
use crate::sql::name::{Ident, QName};

impl Reader<'_> {
    pub(super) fn drop(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        if node.kind() == S::DROP_EVENT_TRIGGER {
            acts.push(Act::Opaque("an event trigger sees every other change", self.span(node)));
        }
        if matches!(node.kind(), S::DROP_DATABASE | S::DROP_TABLESPACE) {
            acts.push(Act::Barrier("it concerns more than the objects it names", self.span(node)));
        }
        let Some((kind, names)) = self.dropped(node) else {
            acts.push(Act::Opaque("a DROP that is not known", self.span(node)));
            return;
        };
        acts.push(Act::Drop(Removal {
            kind,
            names,
            on: self.table_of(node),
            if_exists: has(node, S::IF_EXISTS),
            cascade: has(node, S::CASCADE),
            concurrently: has(node, S::CONCURRENTLY_KW),
            signatures: signatures(node),
        }));
    }

    fn dropped(self, node: &SyntaxNode) -> Option<(Kind, Vec<QName>)> {
        match node.kind() {
            S::DROP_AGGREGATE => {
                let aggregates = node.descendants().filter(|it| it.kind() == S::AGGREGATE);
                let name = |it: SyntaxNode| self.name_in(&it, S::PATH_REF);
                return Some((Kind::Routine, aggregates.filter_map(name).collect()));
            }
            S::DROP_OPERATOR => {
                let all = node.descendants().filter(|it| it.kind() == S::OP);
                let name = |op: SyntaxNode| {
                    let text: String = tokens(&op).map(|token| token.text().to_owned()).collect();
                    let name = Ident::new(text.rsplit('.').next().unwrap_or(&text));
                    QName { schema: None, name, span: self.span(&op) }
                };
                return Some((Kind::Operator, all.map(name).collect()));
            }
            S::DROP_CAST => return Some((Kind::Cast, vec![self.signature_name(node)])),
            S::DROP_TRANSFORM => return Some((Kind::Transform, vec![self.signature_name(node)])),
            S::DROP_USER_MAPPING => {
                return Some((Kind::UserMapping, vec![self.signature_name(node)]));
            }
            _ => {}
        }
        let kind = match node.kind() {
            S::DROP_MATERIALIZED_VIEW => Some(Kind::MaterializedView),
            S::DROP_FOREIGN_TABLE => Some(Kind::ForeignTable),
            _ => None,
        };
        // Of triggers and the like the table is named too, behind ON; of functions
        // the types of their arguments.
        let skipped = |it: &SyntaxNode| {
            it.ancestors().any(|above| {
                matches!(
                    above.kind(),
                    S::ON_TABLE | S::ON_RELATION | S::PARAM_LIST | S::USING_METHOD
                )
            })
        };
        let found: Vec<_> = node
            .descendants()
            .skip(1)
            .filter(|it| !skipped(it))
            .filter_map(|it| Some((reference(it.kind())?, self.name(&it)?)))
            .collect();
        let first = found.first().map(|(kind, _)| *kind)?;
        Some((kind.unwrap_or(first), found.into_iter().map(|(_, name)| name).collect()))
    }
}

fn signatures(node: &SyntaxNode) -> Vec<Option<String>> {
    let all = node.descendants().filter(|it| it.kind() == S::FUNCTION_SIG);
    all.map(|it| has(&it, S::PARAM_LIST).then(|| signature(&it))).collect()
}
