//! DO blocks, and the bodies of functions in PL/pgSQL.
//!
//! A body is read as a bag of statements: each may happen, in the order in which
//! it is written. `EXECUTE` of a text that is the same every time is read as the
//! statements it is ([`constant`]); of anything else only the server knows.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind as S, SyntaxNode};

use super::constant::{SETTING, Variables, sole_target};
use super::tree::{Place, Text, child, ident, tokens};
use super::{MAX_DEPTH, Reader};
use crate::sql::act::{Act, ColumnUse, Uses};
use crate::sql::kind::Kind;
use crate::sql::name::{Ident, QName};

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
        inner.body(&body.syntax(), &[], &mut inside);
        acts.push(Act::Block(inside));
    }

    /// The statements and expressions of a PL/pgSQL body; `given` are the values of
    /// its arguments, where they are known.
    pub(super) fn body(self, root: &SyntaxNode, given: &[(Ident, String)], acts: &mut Vec<Act>) {
        let first = acts.len();
        self.part_of_body(root, &Variables::of(root, given), acts);
        // A string in an assignment may be a value of a variable's type.
        let types = self.declared(root).objects;
        let types: Vec<_> = types.into_iter().filter(|(kind, _)| *kind == Kind::Type).collect();
        if !types.is_empty() {
            give_types(&mut acts[first..], &types);
        }
    }

    fn part_of_body(self, root: &SyntaxNode, known: &Variables, acts: &mut Vec<Act>) {
        let mut pending = vec![root.clone()];
        while let Some(node) = pending.pop() {
            match node.kind() {
                S::PLPGSQL_DYN_EXECUTE_STMT
                | S::PLPGSQL_RETURN_QUERY_EXECUTE_STMT
                | S::PLPGSQL_OPEN_EXECUTE => self.dynamic(&node, known, acts),
                S::PLPGSQL_FOR_DYN_STMT => {
                    self.dynamic(&node, known, acts);
                    pending.extend(child(&node, S::PLPGSQL_BODY));
                }
                S::PLPGSQL_FOR_QUERY_STMT | S::PLPGSQL_CURSOR_DECL => {
                    let first = acts.len();
                    let is_query = |it: &SyntaxNode| it.kind() != S::PLPGSQL_BODY;
                    let query = node.children().filter(is_query);
                    query.for_each(|it| self.part_of_body(&it, known, acts));
                    // What is done for each row is done in their order.
                    each_use(&mut acts[first..], &mut |uses| uses.picks = true);
                    pending.extend(child(&node, S::PLPGSQL_BODY));
                }
                S::PLPGSQL_BLOCK if child(&node, S::PLPGSQL_EXCEPTION_SECTION).is_some() => {
                    let first = acts.len();
                    node.children().for_each(|it| self.part_of_body(&it, known, acts));
                    each_use(&mut acts[first..], &mut Uses::tolerate);
                }
                S::PLPGSQL_IF_STMT | S::PLPGSQL_CASE_STMT => {
                    let mut inside = Vec::new();
                    node.children().for_each(|it| self.part_of_body(&it, known, &mut inside));
                    acts.push(Act::Perhaps(inside));
                }
                S::PLPGSQL_RETURN_STMT => {
                    let first = acts.len();
                    node.children().for_each(|it| self.part_of_body(&it, known, acts));
                    // A row that goes back as it is is not looked at.
                    each_use(&mut acts[first..], &mut |uses| {
                        uses.columns.retain(|it| it.table.is_some() || !is_row(&it.name));
                    });
                }
                S::PLPGSQL_ASSIGN_TARGET | S::PLPGSQL_INTO_TARGET => {
                    acts.extend(self.parts_of_row(&node));
                }
                S::PLPGSQL_EXPR | S::PLPGSQL_VAR_DECL | S::PLPGSQL_CURSOR_ARG => {
                    acts.push(self.uses(&node).into());
                    acts.extend(self.calls(&node, known));
                }
                S::ERROR => self.misread(&node, acts),
                _ if ast::Stmt::can_cast(node.kind()) => {
                    self.statement(&node, acts);
                    acts.extend(self.calls(&node, known));
                }
                _ => {
                    let from = pending.len();
                    pending.extend(node.children());
                    pending[from..].reverse();
                }
            }
        }
    }

    /// The columns in `NEW.x, NEW.y`, where they are given values.
    pub(super) fn parts_of_row(self, targets: &SyntaxNode) -> Option<Act> {
        let text = targets.to_string();
        let part = |target: &str| {
            let (row, part) = target.split_once('.')?;
            let row = Ident::written(row.split_whitespace().last()?);
            let name = Ident::written(part.split('[').next()?.trim());
            let span = self.span(targets);
            is_row(&row).then_some(ColumnUse { table: Some(row), name, sure: false, span })
        };
        let columns: Vec<_> = text.split(',').filter_map(part).collect();
        (!columns.is_empty()).then(|| Uses { columns, ..Uses::default() }.into())
    }

    /// squawk's PL/pgSQL gives up on `INTO` in places where the server takes it: the
    /// statement without it is plain SQL.
    fn misread(self, node: &SyntaxNode, acts: &mut Vec<Act>) {
        let span = self.span(node);
        let place = Place { text: Text::Fixed(span), ..self.place };
        let inner = Reader { place, depth: self.depth + 1 };
        for sql in [node.to_string(), without_into(node)] {
            let parsed = SourceFile::parse(&sql);
            if parsed.errors().is_empty() && self.depth < MAX_DEPTH {
                for statement in parsed.syntax_node().children() {
                    inner.statement(&statement, acts);
                }
                return;
            }
        }
        // The parser knows one DECLARE for a block; the server takes more.
        let declares = ident(node).is_some_and(|word| word.as_str() == "declare");
        if !declares {
            acts.push(Act::Opaque("PL/pgSQL that is not understood", span));
        }
    }

    /// `EXECUTE`: its text is the first expression.
    fn dynamic(self, node: &SyntaxNode, known: &Variables, acts: &mut Vec<Act>) {
        let span = self.span(node);
        let Some(query) = child(node, S::PLPGSQL_EXPR) else { return };
        let texts = sole_target(&query).and_then(|expression| known.texts(&expression));
        let Some(texts) = texts.filter(|_| self.depth < MAX_DEPTH) else {
            acts.push(self.uses(&query).into());
            acts.push(Act::Opaque(DYNAMIC, span));
            return;
        };
        let place = Place { text: Text::Fixed(span), ..self.place };
        let inner = Reader { place, depth: self.depth + 1 };
        for sql in texts {
            let tree = SourceFile::parse(&sql).syntax_node();
            if sql.contains(SETTING) && !only_names_roles(&tree) {
                acts.push(Act::Opaque(DYNAMIC, span));
                continue;
            }
            for statement in tree.children() {
                inner.statement(&statement, acts);
                acts.extend(inner.calls(&statement, &Variables::default()));
            }
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

/// The rows that a trigger's function is called for
/// (<https://www.postgresql.org/docs/current/plpgsql-trigger.html>).
pub(in crate::sql) fn is_row(name: &Ident) -> bool {
    matches!(name.as_str(), "new" | "old")
}

/// Adds `types` to whatever holds strings.
fn give_types(acts: &mut [Act], types: &[(Kind, QName)]) {
    each_use(acts, &mut |uses| {
        if !uses.literals.is_empty() {
            uses.objects.extend_from_slice(types);
        }
    });
}

fn each_use(acts: &mut [Act], change: &mut impl FnMut(&mut Uses)) {
    for act in acts {
        match act {
            Act::Use(uses) => change(uses),
            Act::Perhaps(inner) | Act::Block(inner) => each_use(inner, change),
            _ => {}
        }
    }
}

/// True when what comes from a setting stands only where a role is named.
fn only_names_roles(tree: &SyntaxNode) -> bool {
    tokens(tree).filter(|token| token.text().contains(SETTING)).all(|token| {
        let role = |kind| matches!(kind, S::ROLE_NAME_REF | S::ROLE);
        token.text().trim_matches('"') == SETTING
            && token.parent().is_some_and(|parent| role(parent.kind()))
    })
}

/// The text of a statement without `INTO [STRICT] target, …`.
fn without_into(node: &SyntaxNode) -> String {
    let mut text = String::new();
    let mut tokens = tokens(node).peekable();
    let mut before = S::SEMICOLON;
    let mut end = node.text_range().start();
    while let Some(token) = tokens.next() {
        let kind = token.kind();
        // An operator is one token for each of its characters.
        if end < token.text_range().start() {
            text.push(' ');
        }
        end = token.text_range().end();
        if kind == S::INTO_KW && !matches!(before, S::INSERT_KW | S::MERGE_KW) {
            // Targets and what stands between them, up to a word behind a word.
            let mut name = false;
            while let Some(next) = tokens.peek() {
                let joins = matches!(next.kind(), S::DOT | S::COMMA);
                let strict = next.text().eq_ignore_ascii_case("strict");
                if name && !joins || next.kind() == S::SEMICOLON {
                    break;
                }
                name = !joins && !strict;
                tokens.next();
            }
            continue;
        }
        text.push_str(token.text());
        before = kind;
    }
    text
}
