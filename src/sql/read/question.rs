//! Queries of the server's own catalogue: what they are about.

use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::tree::{children, has, own_tokens, string, tokens};
use crate::sql::act::Uses;
use crate::sql::kind::Kind;
use crate::sql::name::{Ident, QName};

/// Where the server's catalogue has one row for each object
/// (<https://www.postgresql.org/docs/current/catalogs.html>).
const LISTS: [&str; 29] = [
    "tables",
    "columns",
    "views",
    "routines",
    "triggers",
    "sequences",
    "table_constraints",
    "key_column_usage",
    "constraint_column_usage",
    "referential_constraints",
    "pg_class",
    "pg_attribute",
    "pg_tables",
    "pg_views",
    "pg_matviews",
    "pg_indexes",
    "pg_index",
    "pg_constraint",
    "pg_proc",
    "pg_type",
    "pg_trigger",
    "pg_policy",
    "pg_policies",
    "pg_sequences",
    "pg_roles",
    "pg_extension",
    "pg_depend",
    "pg_inherits",
    "pg_enum",
];

/// Adds to what `node` refers to the parts of tables that it asks for, and whether it asks
/// for all that is there.
pub(super) fn note(node: &SyntaxNode, uses: &mut Uses) {
    if !uses.relations.iter().any(|it| it.name.is_system()) {
        return;
    }
    let comparisons = || node.descendants().filter(|it| it.kind() == S::BIN_EXPR);
    uses.asked = comparisons().filter_map(|it| part_asked(&it)).collect();
    if uses.named.is_empty() && !comparisons().any(|it| identifies(&it)) {
        let list = uses.relations.iter().find(|it| is_list(&it.name));
        uses.lists = list.map(|it| it.name.span);
    }
}

fn is_list(relation: &QName) -> bool {
    relation.is_system() && LISTS.contains(&relation.name.as_str())
}

/// True for a comparison of an object's name with something: one object is meant, or
/// those that are written.
fn identifies(node: &SyntaxNode) -> bool {
    let mut sides = node.children().filter(|it| it.kind() != S::OP);
    let (Some(left), Some(right)) = (sides.next(), sides.next()) else { return false };
    if !own_tokens(node).any(|it| matches!(it.kind(), S::EQ | S::IN_KW)) {
        return false;
    }
    let is_name = |side: &SyntaxNode| {
        let last = tokens(side).last().map(|it| it.text().to_ascii_lowercase());
        let suffixes = ["_name", "name", "_table", "enumlabel"];
        last.is_some_and(|it| {
            it != "nspname" && it != "schemaname" && suffixes.iter().any(|end| it.ends_with(end))
        })
    };
    let is_column = |side: &SyntaxNode| side.kind() == S::FIELD_EXPR;
    is_name(&left) && !is_column(&right) || is_name(&right) && !is_column(&left)
}

/// The part of a table that is asked for: `column_name = 'email'`.
fn part_asked(node: &SyntaxNode) -> Option<(Kind, Ident)> {
    let literal = children(node, S::LITERAL).next().and_then(|it| string(&it))?;
    let name = node.children().find(|it| matches!(it.kind(), S::NAME_REF | S::FIELD_EXPR))?;
    let kind = match tokens(&name).last()?.text().to_ascii_lowercase().as_str() {
        "column_name" | "attname" => Kind::Column,
        "constraint_name" | "conname" => Kind::Constraint,
        "trigger_name" | "tgname" => Kind::Trigger,
        "policyname" | "polname" => Kind::Policy,
        _ => return None,
    };
    has(node, S::EQ).then(|| (kind, Ident::new(&literal)))
}
