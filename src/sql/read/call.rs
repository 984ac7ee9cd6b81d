//! Calls, and what a function does when it is called with certain arguments.

use std::collections::HashSet;

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::Reader;
use super::constant::Variables;
use super::routine::{parameters, takes};
use super::tree::{Place, Text, child, children, ident};
use crate::model::Span;
use crate::sql::act::{Act, Argument, Call};
use crate::sql::name::Ident;
use crate::syntax::{on_large_stack, parse};

/// As many calls of one statement are followed: an `INSERT` of ten thousand rows may
/// call a function in each.
const MAX_CALLS: usize = 200;

/// As many are looked at. Each is gone through with all that stands in it, so that
/// thousands within each other would take as long as their square.
const MAX_LOOKED_AT: usize = 2_000;

impl Reader<'_> {
    /// The calls in a statement, with the arguments that `known` tells.
    pub(super) fn calls(self, node: &SyntaxNode, known: &Variables) -> Vec<Act> {
        let is_call = |node: &SyntaxNode| matches!(node.kind(), S::CALL_EXPR | S::CALL);
        let nodes = node.descendants().filter(is_call).take(MAX_LOOKED_AT);
        let mut seen = HashSet::new();
        let calls = nodes.filter_map(|node| self.called_with(&node, known)).flatten();
        let new = calls.filter(|call| {
            let (schema, name) = (call.name.schema.clone(), call.name.name.clone());
            seen.insert((schema, name, call.arguments.clone()))
        });
        new.take(MAX_CALLS).map(Act::Call).collect()
    }

    fn called_with(self, node: &SyntaxNode, known: &Variables) -> Option<Vec<Call>> {
        let callee = node.children().next()?;
        let callees = [S::NAME_REF, S::FIELD_EXPR, S::PROCEDURE_NAME_REF];
        let name = Some(callee).filter(|it| callees.contains(&it.kind()));
        let name = self.name(&name?)?;
        let list = child(node, S::ARG_LIST)?;
        let given: Vec<_> = children(&list, S::ARG).filter_map(|it| named(&it)).collect();
        let values: Vec<_> = given.iter().map(|(_, value)| value.clone()).collect();
        let call = |values: Vec<Option<String>>| {
            let names = given.iter().map(|(name, _)| name.clone());
            let arguments = names.zip(values).map(|(name, value)| Argument { name, value });
            Call { name: name.clone(), arguments: arguments.collect() }
        };
        Some(known.together(&values).into_iter().map(call).collect())
    }
}

/// An argument's name, when it has one, and its value.
fn named(node: &SyntaxNode) -> Option<(Option<Ident>, SyntaxNode)> {
    match child(node, S::NAMED_ARG) {
        Some(node) => {
            let mut parts = node.children();
            let name = parts.next().and_then(|name| ident(&name));
            Some((name, parts.last()?))
        }
        None => Some((None, node.children().next()?)),
    }
}

/// What the function that `source` makes does when it is called with `arguments`.
pub(in crate::sql) fn called(source: &str, arguments: &[Argument]) -> Vec<Act> {
    body_of(source, |node| takes(node, arguments.len()).then(|| parameters(node, arguments)))
}

/// What the trigger's function that `source` makes does, given some of its variables,
/// as far as that can be told.
pub(in crate::sql) fn fired(source: &str, given: &[(Ident, String)]) -> Vec<Act> {
    understood(body_of(source, |_| Some(given.to_vec())))
}

fn understood(acts: Vec<Act>) -> Vec<Act> {
    let one = |act| match act {
        Act::Opaque(..) => None,
        Act::Block(inner) => Some(Act::Block(understood(inner))),
        Act::Perhaps(inner) => Some(Act::Perhaps(understood(inner))),
        act => Some(act),
    };
    acts.into_iter().filter_map(one).collect()
}

fn body_of(
    source: &str,
    given: impl FnOnce(&SyntaxNode) -> Option<Vec<(Ident, String)>> + Send,
) -> Vec<Act> {
    on_large_stack(|| {
        let Ok(tree) = parse(source) else { return Vec::new() };
        let Some(node) = tree.root().children().next() else { return Vec::new() };
        let Some(given) = given(&node) else { return Vec::new() };
        let text = Text::Fixed(Span::default());
        let reader = Reader { place: Place { file: &tree, text }, depth: 1 };
        reader.body_of(&node, &given)
    })
}
