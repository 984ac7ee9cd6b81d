//! What takes something away, and only its form says so, not what it names.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind as S, SyntaxNode};

use super::check::Tree;
use crate::model::Span;

/// In order, the statements that take something out of an object, such as `ALTER
/// PUBLICATION … DROP TABLE`, and the tables of a `DELETE` without `WHERE`. A function
/// or a block is not looked into.
pub fn takings(tree: &Tree) -> Vec<Span> {
    let Some(file) = ast::SourceFile::cast(tree.root()) else { return vec![] };
    let nodes = file.stmts().flat_map(|statement| {
        let node = statement.syntax();
        match node.kind() {
            kind if holds_rows(kind) => node.descendants().filter_map(emptied).collect(),
            _ if node.children().any(|action| is_removal(action.kind())) => vec![node.clone()],
            _ => vec![],
        }
    });
    let span = |node: SyntaxNode| {
        let range = node.text_range();
        tree.place(Span::new(range.start().into(), range.end().into()))
    };
    nodes.map(span).collect()
}

/// What a `DELETE` may be, or stand in.
fn holds_rows(kind: S) -> bool {
    matches!(
        kind,
        S::DELETE | S::SELECT | S::COMPOUND_SELECT | S::INSERT | S::UPDATE | S::MERGE | S::VALUES
    )
}

/// The table of a `DELETE` of all rows.
fn emptied(node: SyntaxNode) -> Option<SyntaxNode> {
    let delete = ast::Delete::cast(node)?;
    let is_all = delete.where_clause_or_current_of().is_none();
    delete.relation_name().filter(|_| is_all).map(|table| table.syntax().clone())
}

/// What an `ALTER` does that no rule of squawk's is about.
fn is_removal(action: S) -> bool {
    matches!(
        action,
        S::DROP_PUBLICATION_OBJECTS
            | S::DROP_SUBSCRIPTION_PUBLICATION
            | S::DROP_MAPPING
            | S::DROP_OP_CLASS_OPTIONS
            | S::DROP_USERS
    )
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn what_takes_away_is_told_by_its_form() {
        let cases: [(&str, &[&str]); 10] = [
            ("DELETE FROM ONLY a; DELETE FROM b USING c", &["ONLY a", "b"]),
            ("DELETE FROM t WHERE a; DELETE FROM t WHERE CURRENT OF c", &[]),
            ("WITH d AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT a FROM d", &["t"]),
            ("WITH d AS (DELETE FROM t WHERE a RETURNING a) SELECT FROM d WHERE a", &[]),
            ("EXPLAIN DELETE FROM t", &[]),
            ("CREATE FUNCTION f() BEGIN ATOMIC DELETE FROM t; END", &[]),
            ("ALTER PUBLICATION p DROP TABLE t", &["ALTER PUBLICATION p DROP TABLE t"]),
            ("ALTER PUBLICATION p ADD TABLE t", &[]),
            (
                "ALTER TEXT SEARCH CONFIGURATION c DROP MAPPING FOR word",
                &["ALTER TEXT SEARCH CONFIGURATION c DROP MAPPING FOR word"],
            ),
            ("ALTER DOMAIN d DROP NOT NULL; DROP PUBLICATION p", &[]),
        ];
        for (sql, expected) in cases {
            let found = takings(&parse(sql).unwrap());
            let found: Vec<_> = found.iter().map(|span| &sql[span.start..span.end]).collect();
            assert_eq!(found, expected, "{sql}");
        }
    }
}
