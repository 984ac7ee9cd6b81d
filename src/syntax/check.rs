//! The parser's verdict on a script.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};
use squawk_syntax::{Parse, SourceFile, SyntaxNode};

use super::nesting::{MAX_BRACKETS, check_nesting};
use super::token::{Token, TokenKind, lex};
use crate::model::Span;

/// Stack of each parsing thread. The parser is recursive; 20,000 nested
/// brackets overflow the usual 2 MiB.
const STACK_BYTES: usize = 64 << 20;

/// Why a script is not valid SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// The parser's complaint and its place in the script.
    Invalid {
        /// A lowercase fragment.
        message: String,
        /// Where.
        span: Span,
    },
    /// Nested too deeply to be parsed at all.
    TooDeep {
        /// Where the limit was passed.
        span: Span,
        /// How many brackets may be open at once.
        limit: usize,
    },
    /// The parser itself failed; the script may be valid.
    ParserFailed,
}

/// A script's syntax tree.
///
/// Made by [`parse`]. It has a tree for invalid SQL too; what is missing in it is
/// among its [`errors`](Tree::errors).
#[derive(Debug)]
pub struct Tree {
    parsed: Parse<SourceFile>,
    left_out: LeftOut,
}

impl Tree {
    /// What is wrong with the script, in order of place; empty for a valid one.
    pub fn errors(&self) -> Vec<SyntaxError> {
        let errors = catch_unwind(AssertUnwindSafe(|| parse_errors(&self.parsed)))
            .unwrap_or_else(|_| vec![SyntaxError::ParserFailed]);
        errors.into_iter().map(|error| self.left_out.restore(error)).collect()
    }

    /// Its root.
    pub(crate) fn root(&self) -> SyntaxNode {
        self.parsed.syntax_node()
    }

    /// As the parser gave it.
    pub(super) fn parsed(&self) -> &Parse<SourceFile> {
        &self.parsed
    }

    /// The place in the script of what stands at `span` in the tree.
    pub(crate) fn place(&self, span: Span) -> Span {
        self.left_out.place(span)
    }
}

/// Parses `sql`; fails where there can be no tree.
///
/// Call it within [`on_large_stack`]: elsewhere deep nesting overflows the stack.
pub fn parse(sql: &str) -> Result<Tree, SyntaxError> {
    if let Err(deep) = check_nesting(sql) {
        let span = Span::at(deep.offset);
        if deep.unclosed {
            let message = "this bracket is never closed".to_owned();
            return Err(SyntaxError::Invalid { message, span });
        }
        return Err(SyntaxError::TooDeep { span, limit: MAX_BRACKETS });
    }
    let (shown, left_out) = for_parser(sql);
    let parsed = catch_unwind(AssertUnwindSafe(|| SourceFile::parse(&shown)))
        .map_err(|_| SyntaxError::ParserFailed)?;
    Ok(Tree { parsed, left_out })
}

/// Parses `sql` and returns what is wrong with it, in order of place; empty for
/// a valid script.
///
/// Call it within [`on_large_stack`]: elsewhere deep nesting overflows the stack.
pub fn check(sql: &str) -> Vec<SyntaxError> {
    match parse(sql) {
        Ok(tree) => tree.errors(),
        Err(error) => vec![error],
    }
}

/// `sql` without what squawk's lexer cuts otherwise than ours: without COPY's data,
/// which may be all but the whole of a file, and without what only psql reads; what
/// an escape string's continuation holds becomes harmless, and comments that tell
/// squawk's linter what to do become blanks: what they silence is ours to judge.
fn for_parser(sql: &str) -> (Cow<'_, str>, LeftOut) {
    let mut shown = String::new();
    let mut left_out = LeftOut::default();
    if !may_hide(sql) {
        return (Cow::Borrowed(sql), left_out);
    }
    let mut at = 0;
    for token in lex(sql).tokens {
        let Span { start, end } = token.span();
        if !is_hidden(token, sql) {
            continue;
        }
        shown.push_str(&sql[at..start]);
        if token.kind == TokenKind::EscapeStr {
            // Byte for byte: it may have no end, and then end in any character.
            let inside = &sql.as_bytes()[start + 1..end - 1];
            shown.push('\'');
            shown.extend(inside.iter().map(|byte| if *byte == b'\n' { '\n' } else { '_' }));
            shown.push('\'');
        } else if matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment) {
            let blank = |byte: &u8| if *byte == b'\n' { '\n' } else { ' ' };
            shown.extend(sql.as_bytes()[start..end].iter().map(blank));
        } else {
            left_out.0.push((shown.len(), end - start));
        }
        at = end;
    }
    if at == 0 {
        return (Cow::Borrowed(sql), left_out);
    }
    shown.push_str(&sql[at..]);
    (Cow::Owned(shown), left_out)
}

/// Whether there can be something hidden at all: in most scripts there cannot, and
/// this is much less work than to cut them.
fn may_hide(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let escape_string = |at: usize| {
        matches!(&bytes[at..], [b'E' | b'e', b'\'', ..])
            && !(at > 0 && (bytes[at - 1].is_ascii_alphabetic() || bytes[at - 1] == b'_'))
    };
    let is_at = |at: usize, word: &[u8]| {
        let there = bytes.get(at..at + word.len());
        there.is_some_and(|there| there.eq_ignore_ascii_case(word))
    };
    (0..bytes.len()).any(|at| match bytes[at] {
        // What only psql reads begins with one.
        b'\\' => true,
        b'E' | b'e' => escape_string(at),
        b'S' | b's' => is_at(at, b"stdin") || is_at(at, b"squawk-"),
        _ => false,
    })
}

fn is_hidden(token: Token, sql: &str) -> bool {
    let text = token.text(sql);
    match token.kind {
        TokenKind::CopyData | TokenKind::Restrict => true,
        TokenKind::LineComment | TokenKind::BlockComment => text.contains("squawk-"),
        // The first part begins with `E`; the continuation with its quote.
        TokenKind::EscapeStr => text.len() > 1 && text.starts_with('\''),
        _ => false,
    }
}

/// What the parser was not shown: where it would be, and its length.
#[derive(Debug, Default)]
struct LeftOut(Vec<(usize, usize)>);

impl LeftOut {
    /// The same error, in the text as it is written.
    fn restore(&self, error: SyntaxError) -> SyntaxError {
        let SyntaxError::Invalid { message, span } = error else { return error };
        SyntaxError::Invalid { message, span: self.place(span) }
    }

    fn place(&self, span: Span) -> Span {
        if self.0.is_empty() {
            return span;
        }
        let before = |n: usize| self.0[..n].iter().map(|(_, length)| length).sum::<usize>();
        let start = span.start + before(self.0.partition_point(|(at, _)| *at <= span.start));
        let end = span.end + before(self.0.partition_point(|(at, _)| *at < span.end));
        Span::new(start, end)
    }
}

fn parse_errors(parsed: &Parse<SourceFile>) -> Vec<SyntaxError> {
    let in_order = parsed.errors();
    if in_order.is_empty() {
        return Vec::new();
    }
    let text = parsed.syntax_node().to_string();
    in_order
        .into_iter()
        .map(|error| {
            let range = error.range();
            let span = Span::new(range.start().into(), range.end().into());
            let message = match foreign(text.get(span.start..).unwrap_or_default()) {
                Some(what) => what.to_owned(),
                None => readable(error.message()),
            };
            SyntaxError::Invalid { message, span }
        })
        .collect()
}

/// What stands in files that are not, or not only, PostgreSQL's SQL.
fn foreign(text: &str) -> Option<&'static str> {
    if ["{{", "{%", "${", "<%"].iter().any(|mark| text.starts_with(mark)) {
        return Some("a placeholder: this is a template, to be filled in before it is SQL");
    }
    match text.chars().next()? {
        '`' => Some("MySQL's quotes: in PostgreSQL a name is quoted as \"name\""),
        '[' => Some("no name: in PostgreSQL a name is quoted as \"name\""),
        _ => None,
    }
}

/// The parser names tokens by its own constants (`R_PAREN`, `TABLE_KW`); people
/// know them by their text.
fn readable(message: &str) -> String {
    if message.starts_with("expected command") {
        return "no statement begins like this".to_owned();
    }
    let word = |word: &str| {
        let (name, tail) = word.split_at(word.trim_end_matches([',', '.', ';']).len());
        let text = match name {
            "L_PAREN" => "`(`".to_owned(),
            "R_PAREN" => "`)`".to_owned(),
            "L_BRACK" => "`[`".to_owned(),
            "R_BRACK" => "`]`".to_owned(),
            "SEMICOLON" => "`;`".to_owned(),
            "COMMA" => "`,`".to_owned(),
            "EQ" => "`=`".to_owned(),
            "DOT" => "`.`".to_owned(),
            "IDENT" => "a name".to_owned(),
            "EOF" => "the end".to_owned(),
            name => match name.strip_suffix("_KW") {
                Some(keyword) => format!("`{keyword}`"),
                None => name.to_owned(),
            },
        };
        text + tail
    };
    message.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Runs `work` on rayon's threads with a stack that the parser cannot overflow;
/// rayon's operations inside it use the same threads.
pub fn on_large_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| ThreadPoolBuilder::new().stack_size(STACK_BYTES).build().ok());
    match pool {
        Some(pool) => pool.install(work),
        // No thread could be made: the machine is out of them. Go on here.
        None => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_error_is_given() {
        assert_eq!(check("select 1; create table t(a int);"), []);
        let errors = check("select 1;\ncreate tabel t();");
        assert!(
            matches!(errors.first(), Some(SyntaxError::Invalid { span, .. }) if span.start >= 10),
            "{errors:?}"
        );
    }

    #[test]
    fn what_the_parser_would_cut_otherwise_is_hidden_from_it() {
        let valid =
            ["copy t from stdin;\nit's é $a$\n\\.\nselect 1;", "select E'a\\''\n'b\\'; é', 1;"];
        for sql in valid {
            assert_eq!(check(sql), [], "{sql}");
        }
        check("select E'a'\n'é");
        let errors = check("copy t from stdin;\né\n\\.\nselekt 1;");
        let message = "no statement begins like this".to_owned();
        let span = Span::at(25);
        assert_eq!(errors.first(), Some(&SyntaxError::Invalid { message: message.clone(), span }));
        let twice = "\\restrict e\ncopy t from stdin;\n\\.\ncopy t from stdin;\n1\n\\.\nselekt 1;";
        let errors = check(twice);
        let span = Span::at(twice.find("selekt").unwrap());
        assert_eq!(errors.first(), Some(&SyntaxError::Invalid { message, span }));
    }

    #[test]
    fn deep_nesting_is_refused_or_survived() {
        on_large_stack(|| {
            let nested = |n: usize| format!("select {}1{}", "(".repeat(n), ")".repeat(n));
            assert_eq!(check(&nested(5_000)), []);
            assert!(matches!(check(&nested(20_001))[..], [SyntaxError::TooDeep { .. }]));
        });
    }
}
