//! `COPY` between the server and its client.

use super::statements::{StatementTokens, statements};
use super::token::{Token, TokenKind, lex};
use crate::model::Span;

/// A COPY whose data come from the client or go to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyIn {
    /// `COPY … FROM STDIN` with the lines behind it, `\.` included.
    Data(Span),
    /// Its lines go on to the end of the file: there is no `\.`.
    Endless(Span),
    /// No lines follow it.
    NoData,
    /// `COPY … FROM STDIN` in binary format, which no text file can hold.
    Binary,
    /// `COPY … TO STDOUT`.
    ToClient,
}

/// What `statement`, which begins with `COPY`, exchanges with the client; `None`
/// for a file or a program on the server.
///
/// The direction stands outside the parentheses of a query, at any distance.
/// `STDIN` and `STDOUT` are interchangeable to the grammar.
pub(super) fn of_client(statement: StatementTokens<'_>) -> Option<CopyIn> {
    let source = statement.source();
    let mut depth = 0_usize;
    let mut before = None;
    for token in statement.significant() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 => continue,
            _ => {}
        }
        let client = token.is_word(source, "stdin") || token.is_word(source, "stdout");
        let comes = |token: &Token| token.is_word(source, "from");
        let goes = |token: &Token| token.is_word(source, "to");
        match before.replace(token) {
            Some(before) if client && comes(&before) => return Some(from_client(statement)),
            Some(before) if client && goes(&before) => return Some(CopyIn::ToClient),
            _ => {}
        }
    }
    // The lexer has seen data behind it: they must not be lost.
    statement.data().map(|_| from_client(statement))
}

fn from_client(statement: StatementTokens<'_>) -> CopyIn {
    let Some(data) = statement.data() else {
        return if is_binary(statement) { CopyIn::Binary } else { CopyIn::NoData };
    };
    let text = &statement.source()[data.start..data.end];
    let last = text.lines().next_back().unwrap_or_default();
    match () {
        () if is_binary(statement) => CopyIn::Binary,
        () if last.trim_end_matches('\r') == "\\." => CopyIn::Data(data),
        () => CopyIn::Endless(data),
    }
}

/// `FORMAT binary` among the options, or the old `BINARY` outside of them; a
/// column may have that name too.
fn is_binary(statement: StatementTokens<'_>) -> bool {
    let source = statement.source();
    let mut depth = 0_usize;
    let mut format = false;
    for token in statement.significant() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        let value = token.text(source).trim_matches(['\'', '"']);
        if value.eq_ignore_ascii_case("binary") && (format || depth == 0) {
            return format || token.kind == TokenKind::Word;
        }
        format = token.is_word(source, "format");
    }
    false
}

/// The unqualified name of the table that the COPY `sql` fills, as PostgreSQL
/// shows it in a message's context.
pub fn copied_table(sql: &str) -> Option<String> {
    let lexed = lex(sql);
    let statement = *statements(sql, &lexed.tokens).first()?;
    let mut tokens = statement.significant().skip(1);
    let mut name = None;
    loop {
        let token = tokens.next()?;
        name = match token.kind {
            TokenKind::Word => Some(token.text(sql).to_ascii_lowercase()),
            TokenKind::QuotedWord => {
                let text = token.text(sql);
                Some(text.trim_matches('"').replace("\"\"", "\""))
            }
            _ => return name,
        };
        if tokens.next()?.kind != TokenKind::Dot {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<CopyIn> {
        let lexed = lex(text);
        of_client(statements(text, &lexed.tokens)[0])
    }

    #[test]
    fn a_copy_and_its_data_belong_together() {
        use CopyIn::{Binary, Data, Endless, NoData, ToClient};
        let cases = [
            ("COPY t FROM STDIN;\na\n\\.\n", Some(Data(Span::new(19, 24)))),
            ("COPY t FROM STDIN;\n\\.", Some(Data(Span::new(19, 21)))),
            ("copy s.t (binary, format) from stdin csv;\n\\.\nx", Some(Data(Span::new(42, 45)))),
            ("COPY t FROM STDIN;\na\n", Some(Endless(Span::new(19, 21)))),
            ("COPY t FROM STDIN;\na\\.\n", Some(Endless(Span::new(19, 23)))),
            ("COPY t FROM STDIN", Some(NoData)),
            ("COPY t FROM STDIN; SELECT 1;", Some(NoData)),
            ("COPY t FROM STDIN; -- behind\n1\n\\.\n", Some(NoData)),
            ("COPY t FROM STDIN (FORMAT binary);\n\\.\n", Some(Binary)),
            ("COPY t FROM STDIN WITH (FORMAT 'BINARY');\n\\.\n", Some(Binary)),
            ("COPY BINARY t FROM STDIN;\n\\.\n", Some(Binary)),
            ("COPY t FROM STDIN BINARY", Some(Binary)),
            ("COPY t TO STDOUT (FORMAT csv)", Some(ToClient)),
            ("COPY (SELECT 1 FROM stdin) TO STDOUT", Some(ToClient)),
            ("COPY (SELECT 'x' FROM stdin) TO '/x'", None),
            ("COPY t FROM '/x'", None),
            ("COPY t FROM PROGRAM 'x'", None),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn the_table_is_named_as_the_server_does() {
        let cases = [
            ("COPY T FROM stdin", Some("t")),
            ("copy public.\"My \"\"T\" (a, b) FROM stdin", Some("My \"T")),
            ("copy d . s . t (a) FROM stdin", Some("t")),
            ("COPY (SELECT 1) TO '/x'", None),
        ];
        for (sql, expected) in cases {
            assert_eq!(copied_table(sql).as_deref(), expected, "{sql}");
        }
    }
}
