//! The parts of a migration file: header, up, down.

use std::sync::Arc;

use crate::model::{Code, Diagnostic, Place, Source, Span};
use crate::syntax::{Lexed, Token, TokenKind};

/// Where the parts of a file are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sections {
    /// The line comments of the leading comment block.
    pub(super) header: Vec<Span>,
    /// The up script, with the blanks and comments around it.
    pub(super) up: Span,
    /// The down script, likewise.
    pub(super) down: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Up,
    Down,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Up => "UP MIGRATION",
            Self::Down => "DOWN MIGRATION",
        }
    }
}

/// `-- UP MIGRATION` or `-- DOWN MIGRATION`, perhaps with a remark behind it.
#[derive(Clone, Copy, Debug)]
struct Marker {
    kind: Kind,
    span: Span,
}

/// Finds the sections. Markers are line comments of their own as the lexer sees
/// them, so one inside a string, a body or a block comment is none.
pub(super) fn find(
    source: &Arc<Source>,
    lexed: &Lexed,
    note: &mut impl FnMut(Diagnostic),
) -> Sections {
    let text = source.text();
    let markers = markers(text, &lexed.tokens);
    let header_end = header_end(&lexed.tokens, &markers, text.len());
    let header = lexed
        .tokens
        .iter()
        .filter(|token| token.kind == TokenKind::LineComment)
        .map(|token| token.span())
        .take_while(|span| span.start < header_end)
        .collect();
    let (up, down) = arrange(source, &markers, header_end, note);
    if let Some(before) = sql_before(&lexed.tokens, &markers) {
        note(outside(source, before, &markers));
    }
    Sections { header, up, down }
}

/// The places of all markers, whether or not they are where they belong.
pub(super) fn marker_spans(text: &str, tokens: &[Token]) -> Vec<Span> {
    markers(text, tokens).into_iter().map(|marker| marker.span).collect()
}

fn markers(text: &str, tokens: &[Token]) -> Vec<Marker> {
    let mut found = Vec::new();
    let mut line_is_empty = true;
    for token in tokens {
        let span = token.span();
        match token.kind {
            TokenKind::Blank => line_is_empty |= token.text(text).contains('\n'),
            TokenKind::LineComment if line_is_empty => {
                found.extend(marker_kind(token.text(text)).map(|kind| Marker { kind, span }));
            }
            TokenKind::CopyData => line_is_empty = true,
            _ => line_is_empty = false,
        }
    }
    found
}

/// In capitals anything may follow; in another case only the bare words or a
/// remark that begins with punctuation count, so that a sentence which happens
/// to begin with "up migration" stays a comment.
fn marker_kind(comment: &str) -> Option<Kind> {
    let words = comment.trim_start_matches('-').trim();
    [Kind::Up, Kind::Down].into_iter().find(|kind| {
        let name = kind.name();
        let Some((head, rest)) = words.split_at_checked(name.len()) else { return false };
        let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let remark = rest.trim_start();
        head == name && ends
            || head.eq_ignore_ascii_case(name) && ends && !remark.starts_with(char::is_alphanumeric)
    })
}

fn header_end(tokens: &[Token], markers: &[Marker], end: usize) -> usize {
    let first_sql = tokens
        .iter()
        .find(|token| token.kind.is_significant())
        .map_or(end, |token| token.span().start);
    markers.first().map_or(first_sql, |marker| marker.span.start.min(first_sql))
}

/// The spans of both scripts; complains about repeated or swapped markers.
fn arrange(
    source: &Arc<Source>,
    markers: &[Marker],
    header_end: usize,
    note: &mut impl FnMut(Diagnostic),
) -> (Span, Option<Span>) {
    let end = source.text().len();
    let first = |kind: Kind| markers.iter().find(|marker| marker.kind == kind);
    for kind in [Kind::Up, Kind::Down] {
        for second in markers.iter().filter(|marker| marker.kind == kind).skip(1) {
            note(repeated(source, second, first(kind)));
        }
    }
    match (first(Kind::Up), first(Kind::Down)) {
        (None, None) => (Span::new(header_end, end), None),
        (Some(up), None) => (Span::new(up.span.end, end), None),
        (None, Some(down)) => (Span::at(header_end), Some(Span::new(down.span.end, end))),
        (Some(up), Some(down)) if up.span < down.span => {
            (Span::new(up.span.end, down.span.start), Some(Span::new(down.span.end, end)))
        }
        (Some(up), Some(down)) => {
            note(
                Diagnostic::error(Code::Section, "the down section stands before the up section")
                    .at(Place::new(source, down.span, "move this behind the up section"))
                    .also(Place::new(source, up.span, "the up section")),
            );
            (Span::new(up.span.end, end), Some(Span::new(down.span.end, up.span.start)))
        }
    }
}

fn repeated(source: &Arc<Source>, second: &Marker, first: Option<&Marker>) -> Diagnostic {
    let message = format!("a second `-- {}` section", second.kind.name());
    let problem = Diagnostic::error(Code::Section, message)
        .at(Place::new(source, second.span, "the second"))
        .help("a file holds one migration: join the sections, or split the file");
    match first {
        Some(first) => problem.also(Place::new(source, first.span, "the first")),
        None => problem,
    }
}

/// The first piece of SQL that no section holds.
fn sql_before(tokens: &[Token], markers: &[Marker]) -> Option<Span> {
    let first_marker = markers.first()?.span.start;
    let first_sql = tokens.iter().find(|token| token.kind.is_significant())?.span();
    (first_sql.start < first_marker).then_some(first_sql)
}

fn outside(source: &Arc<Source>, span: Span, markers: &[Marker]) -> Diagnostic {
    let first = markers.first().map_or(Kind::Up, |marker| marker.kind);
    let message = format!("SQL before the `-- {}` line belongs to no section", first.name());
    Diagnostic::error(Code::Section, message)
        .at(Place::new(source, span, "this would never run"))
        .help("put a line `-- UP MIGRATION` before the statements that apply the migration")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::lex;

    fn cut(text: &str) -> (String, Option<String>, Vec<String>) {
        let source = Arc::new(Source::new("a.sql", text));
        let mut problems = Vec::new();
        let found = find(&source, &lex(text), &mut |problem| problems.push(problem.message));
        let part = |span: Span| source.slice(span).trim().to_owned();
        (part(found.up), found.down.map(part), problems)
    }

    #[test]
    fn sections_are_found_by_the_lexer() {
        let cases = [
            ("-- h\nselect 1;", "select 1;", None),
            ("-- UP MIGRATION\na;\n-- DOWN MIGRATION\nb;", "a;", Some("b;")),
            ("-- UP MIGRATION (forward)\na;\n  -- down migration\nb;", "a;", Some("b;")),
            ("-- UP MIGRATION forward\na;", "a;", None),
            ("-- Up Migration: forward\na;", "a;", None),
            ("-- up migration of old rows\na;", "a;", None),
            ("select '\n-- DOWN MIGRATION\n';", "select '\n-- DOWN MIGRATION\n';", None),
            ("/*\n-- DOWN MIGRATION\n*/ a;", "a;", None),
            ("do $$\n-- DOWN MIGRATION\n$$;", "do $$\n-- DOWN MIGRATION\n$$;", None),
            ("a; -- DOWN MIGRATION", "a; -- DOWN MIGRATION", None),
        ];
        for (text, up, down) in cases {
            assert_eq!(cut(text), (up.to_owned(), down.map(str::to_owned), vec![]), "{text}");
        }
    }

    #[test]
    fn misplaced_sections_are_problems() {
        let cases = [
            ("-- UP MIGRATION\na;\n-- UP MIGRATION\nb;", "a second `-- UP MIGRATION` section"),
            (
                "-- DOWN MIGRATION\nb;\n-- UP MIGRATION\na;",
                "the down section stands before the up section",
            ),
            (
                "a;\n-- UP MIGRATION\nb;",
                "SQL before the `-- UP MIGRATION` line belongs to no section",
            ),
            (
                "a;\n-- DOWN MIGRATION\nb;",
                "SQL before the `-- DOWN MIGRATION` line belongs to no section",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(cut(text).2, [message], "{text}");
        }
    }
}
