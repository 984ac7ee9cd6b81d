//! Where statements begin and end.

use super::classify::{Meaning, meaning_of};
use super::token::{Token, TokenKind};
use crate::model::Span;

/// One statement as a run of tokens, comments inside it included.
#[derive(Clone, Copy, Debug)]
pub struct StatementTokens<'a> {
    source: &'a str,
    tokens: &'a [Token],
    /// The data that follow its line, when it is a COPY from the client.
    data: Option<Span>,
}

impl<'a> StatementTokens<'a> {
    /// From the first significant token to the last, the `;` included.
    pub fn span(&self) -> Span {
        let end = self.tokens.last().map_or(0, |token| token.span().end);
        Span::new(self.tokens.first().map_or(end, |token| token.span().start), end)
    }

    /// What running it needs.
    pub fn meaning(&self) -> Meaning {
        meaning_of(*self)
    }

    /// True for a statement that only changes rows, which any transaction allows.
    pub fn changes_rows(&self) -> bool {
        let words = ["insert", "update", "delete", "merge", "truncate"];
        let first = self.tokens.first();
        first.is_some_and(|first| words.iter().any(|word| first.is_word(self.source, word)))
    }

    /// The data behind it.
    pub(super) fn data(self) -> Option<Span> {
        self.data
    }

    /// The tokens PostgreSQL's grammar sees, without the final `;`.
    pub(super) fn significant(self) -> impl Iterator<Item = Token> + 'a {
        let wanted =
            |token: &&Token| token.kind.is_significant() && token.kind != TokenKind::Semicolon;
        self.tokens.iter().filter(wanted).copied()
    }

    /// The text behind the tokens.
    pub(super) fn source(self) -> &'a str {
        self.source
    }
}

/// Cuts tokens into statements at each `;` that is neither in parentheses nor in
/// the body of a SQL-standard function.
///
/// The rules are psql's (`src/fe_utils/psqlscan.l`): inside
/// `CREATE [OR REPLACE] FUNCTION|PROCEDURE`, `BEGIN` and `CASE` open and `END`
/// closes a body. Empty statements (`;;`) are left out. A command of psql stands by
/// itself: what is around it keeps its meaning, and the command alone is refused.
pub fn statements<'a>(source: &'a str, tokens: &'a [Token]) -> Vec<StatementTokens<'a>> {
    let mut found: Vec<StatementTokens<'a>> = Vec::new();
    let mut scan = Scan::default();
    let mut first = None;
    let mut last = 0;
    for (at, token) in tokens.iter().enumerate().filter(|(_, t)| t.kind.is_significant()) {
        if token.kind == TokenKind::CopyData {
            // The lexer puts it behind the `;` of a COPY only.
            if let Some(copy) = found.last_mut().filter(|_| first.is_none()) {
                copy.data = Some(token.span());
            }
            continue;
        }
        if token.kind == TokenKind::Backslash {
            if let Some(start) = first.take() {
                found.push(StatementTokens { source, tokens: &tokens[start..=last], data: None });
            }
            found.push(StatementTokens { source, tokens: &tokens[at..=at], data: None });
            scan = Scan::default();
            continue;
        }
        let ends = scan.ends_statement(source, *token);
        if first.is_none() && !ends {
            first = Some(at);
        }
        last = at;
        if ends {
            if let Some(start) = first.take() {
                found.push(StatementTokens { source, tokens: &tokens[start..=at], data: None });
            }
            scan = Scan::default();
        }
    }
    if let Some(start) = first {
        found.push(StatementTokens { source, tokens: &tokens[start..=last], data: None });
    }
    found
}

/// What of a statement matters to find its end.
#[derive(Default)]
struct Scan {
    parentheses: usize,
    bodies: usize,
    words: usize,
    routine: RoutinePrefix,
}

/// How much of `CREATE [OR REPLACE] FUNCTION|PROCEDURE` has been read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum RoutinePrefix {
    #[default]
    Nothing,
    Create,
    Or,
    Replace,
    Routine,
    No,
}

impl RoutinePrefix {
    fn after(self, source: &str, token: Token) -> Self {
        let is = |word| token.is_word(source, word);
        match self {
            Self::Routine | Self::No => self,
            Self::Nothing if is("create") => Self::Create,
            Self::Create if is("or") => Self::Or,
            Self::Or if is("replace") => Self::Replace,
            Self::Create | Self::Replace if is("function") || is("procedure") => Self::Routine,
            _ => Self::No,
        }
    }
}

impl Scan {
    fn ends_statement(&mut self, source: &str, token: Token) -> bool {
        match token.kind {
            TokenKind::Open if token.text(source) == "(" => self.parentheses += 1,
            TokenKind::Close if token.text(source) == ")" => {
                self.parentheses = self.parentheses.saturating_sub(1);
            }
            TokenKind::Semicolon => return self.parentheses == 0 && self.bodies == 0,
            TokenKind::Word => self.word(source, token),
            _ => {}
        }
        if self.words == 0 && token.kind != TokenKind::Word {
            self.routine = RoutinePrefix::No;
        }
        false
    }

    fn word(&mut self, source: &str, token: Token) {
        self.words += 1;
        self.routine = self.routine.after(source, token);
        if self.routine != RoutinePrefix::Routine || self.parentheses > 0 {
            return;
        }
        if token.is_word(source, "begin") || (self.bodies > 0 && token.is_word(source, "case")) {
            self.bodies += 1;
        } else if token.is_word(source, "end") {
            self.bodies = self.bodies.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use squawk_syntax::SourceFile;
    use squawk_syntax::ast::AstNode;

    use super::super::token::lex;
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        let lexed = lex(text);
        statements(text, &lexed.tokens)
            .iter()
            .map(|statement| &text[statement.span().start..statement.span().end])
            .collect()
    }

    /// Where the parser's tree has its statements.
    fn tree_spans(text: &str) -> Vec<Span> {
        let tree = SourceFile::parse(text).tree();
        let ranges = tree.stmts().map(|stmt| stmt.syntax().text_range());
        ranges.map(|range| Span::new(range.start().into(), range.end().into())).collect()
    }

    #[test]
    fn the_parser_sees_the_same_statements_in_the_sample() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut seen = 0;
        for path in paths.filter(|path| path.extension().is_some_and(|it| it == "sql")) {
            let text = std::fs::read_to_string(&path).unwrap();
            let lexed = lex(&text);
            let ours: Vec<_> =
                statements(&text, &lexed.tokens).iter().map(StatementTokens::span).collect();
            assert_eq!(ours, tree_spans(&text), "{}", path.display());
            seen += ours.len();
        }
        assert!(seen > 300, "{seen}");
    }

    #[test]
    fn a_semicolon_ends_a_statement_unless_it_is_inside_something() {
        let cases: [(&str, &[&str]); 10] = [
            ("", &[]),
            ("\\set x 1\nbegin; select 1;", &["\\set x 1", "begin;", "select 1;"]),
            ("select 1 \\gexec\n; commit", &["select 1", "\\gexec", "commit"]),
            (" -- only a remark\n;;", &[]),
            ("select 1; select ';' /* ; */;", &["select 1;", "select ';' /* ; */;"]),
            ("select 1", &["select 1"]),
            (
                "create rule r as on insert to t do (select 1; select 2); select 3",
                &["create rule r as on insert to t do (select 1; select 2);", "select 3"],
            ),
            (
                "create function f() returns int language sql begin atomic select case when true then 1 end; select 2; end; select 3;",
                &[
                    "create function f() returns int language sql begin atomic select case when true then 1 end; select 2; end;",
                    "select 3;",
                ],
            ),
            (
                "begin; create table t(a int); end; select 1",
                &["begin;", "create table t(a int);", "end;", "select 1"],
            ),
            ("do $$ begin null; end $$; -- last", &["do $$ begin null; end $$;"]),
        ];
        for (text, expected) in cases {
            assert_eq!(cut(text), expected, "{text}");
        }
    }
}
