//! DO blocks, and the bodies of functions in PL/pgSQL.
//!
//! A body is read as a bag of statements: each may happen, in the order in which
//! it is written. `EXECUTE` of a constant string is read as the statement it is;
//! of anything else only the server knows.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind as S, SyntaxNode};

use super::tree::{Place, Text, child, ident, string};
use super::{MAX_DEPTH, Reader};
use crate::sql::act::Act;
use crate::sql::kind::Kind;

/// Why a dynamic statement is not understood.
const DYNAMIC: &str = "EXECUTE of a text that is put together when it runs";

impl Reader<'_> {
    /// `DO`.
    pub(super) fn anonymous_block(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let block = ast::Do::cast(node.clone()).and_then(|block| block.plpgsql());
        let Some(body) = block.filter(|_| self.depth < MAX_DEPTH) else {
            acts.push(Act::Opaque("a DO block in a language that is not read", self.span(node)));
            return;
        };
        let text = match self.place.text {
            Text::File => Text::Plpgsql(&body),
            _ => Text::Fixed(self.span(node)),
        };
        let place = Place { text, ..self.place };
        let inner = Reader { place, depth: self.depth + 1 };
        let mut inside = Vec::new();
        inner.body(&body.syntax(), &mut inside);
        acts.push(Act::Block(inside));
    }

    /// The statements and expressions of a PL/pgSQL body.
    pub(super) fn body(self, root: &SyntaxNode, acts: &mut Vec<Act>) {
        let mut pending = vec![root.clone()];
        while let Some(node) = pending.pop() {
            match node.kind() {
                S::PLPGSQL_DYN_EXECUTE_STMT
                | S::PLPGSQL_RETURN_QUERY_EXECUTE_STMT
                | S::PLPGSQL_OPEN_EXECUTE => self.dynamic(&node, acts),
                S::PLPGSQL_FOR_DYN_STMT => {
                    self.dynamic(&node, acts);
                    pending.extend(child(&node, S::PLPGSQL_BODY));
                }
                S::PLPGSQL_EXPR | S::PLPGSQL_VAR_DECL | S::PLPGSQL_CURSOR_ARG => {
                    acts.push(Act::Use(self.uses(&node)));
                }
                S::ERROR => {
                    acts.push(Act::Opaque("PL/pgSQL that is not understood", self.span(&node)))
                }
                _ if ast::Stmt::can_cast(node.kind()) => self.statement(&node, acts),
                _ => {
                    let from = pending.len();
                    pending.extend(node.children());
                    pending[from..].reverse();
                }
            }
        }
    }

    /// `EXECUTE`: its text is the first expression.
    fn dynamic(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let span = self.span(node);
        let Some(query) = child(node, S::PLPGSQL_EXPR) else { return };
        acts.push(Act::Use(self.uses(&query)));
        let target = child(&query, S::TARGET_LIST)
            .and_then(|list| child(&list, S::TARGET))
            .and_then(|target| target.children().next());
        match target.and_then(|expression| constant(&expression)) {
            Some(sql) if self.depth < MAX_DEPTH => {
                let inner = Reader {
                    place: Place { text: Text::Fixed(span), ..self.place },
                    depth: self.depth + 1,
                };
                let parsed = SourceFile::parse(&sql);
                for statement in parsed.syntax_node().children() {
                    inner.statement(&statement, acts);
                }
            }
            _ => acts.push(Act::Opaque(DYNAMIC, span)),
        }
    }

    /// A called body refers to what it declares by type, too.
    pub(super) fn declared(self, root: &SyntaxNode) -> crate::sql::act::Uses {
        let declarations = root
            .descendants()
            .filter(|node| matches!(node.kind(), S::PLPGSQL_VAR_DECL | S::PLPGSQL_CURSOR_ARG));
        let types = declarations.flat_map(|node| {
            let ty = |child: &SyntaxNode| {
                matches!(
                    child.kind(),
                    S::PATH_TYPE | S::PERCENT_TYPE | S::PLPGSQL_PERCENT_ROWTYPE | S::ARRAY_TYPE
                )
            };
            node.children().filter(ty).collect::<Vec<_>>()
        });
        let mut uses = super::harvest::uses_of_all(self.place, types);
        // `v other%TYPE` may name a variable that is declared before it.
        let variables: Vec<_> = root
            .descendants()
            .filter(|node| matches!(node.kind(), S::PLPGSQL_VAR_NAME))
            .filter_map(|node| ident(&node))
            .collect();
        uses.objects.retain(|(kind, name)| *kind != Kind::Table || !variables.contains(&name.name));
        uses
    }
}

/// The text of an expression that is the same every time: a string, strings put
/// together, or `format` of one without placeholders.
fn constant(expression: &SyntaxNode) -> Option<String> {
    match expression.kind() {
        S::LITERAL => string(expression),
        S::PAREN_EXPR => constant(&expression.children().next()?),
        S::BIN_EXPR => {
            let mut parts = expression.children().filter(|part| part.kind() != S::OP);
            let (left, right) = (parts.next()?, parts.next()?);
            let operator = expression.to_string().contains("||");
            if operator { Some(constant(&left)? + &constant(&right)?) } else { None }
        }
        S::CALL_EXPR => {
            let function = expression.children().next().and_then(|callee| ident(&callee))?;
            let arguments = child(expression, S::ARG_LIST)?;
            let mut arguments = arguments.children();
            let text = constant(&arguments.next()?.children().next()?)?;
            let plain = function.as_str() == "format" && arguments.next().is_none();
            (plain && !text.contains('%')).then_some(text)
        }
        _ => None,
    }
}
