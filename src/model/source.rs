//! A file's text, and places in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A half-open range of byte offsets into a [`Source`]'s text.
///
/// Made by the lexer and the header parser, so both ends lie on character
/// boundaries and within the text they were made from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

impl Span {
    /// The span from `start` to before `end`; an inverted pair becomes empty.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The empty span at `offset`.
    pub fn at(offset: usize) -> Self {
        Self::new(offset, offset)
    }

    /// Its length in bytes.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// True when it covers no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The same span, in a text that has `offset` more bytes before it.
    #[must_use]
    pub fn shifted(self, offset: usize) -> Self {
        Self::new(self.start + offset, self.end + offset)
    }
}

/// A place as people and editors count: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
}

/// A migration file as it was read.
///
/// The text is valid UTF-8 without a byte order mark, and its line ends are
/// `\n` alone: what is shown, hashed and sent to the server is the same on
/// every platform. A file that could not be read as text has an empty text.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// A source of `path` with an already normalised `text`.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The path as it was found: the directory given by the user, then the rest.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path for people: control characters, which a hostile name may hold, are
    /// written as escapes.
    pub fn shown_path(&self) -> String {
        shown_path(&self.path)
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of `span`; empty where the span lies outside.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Line and column of a byte offset; behind the end it is the end's.
    pub fn location(&self, offset: usize) -> Location {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Location {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The part of `span` that is on its first line: a caret under a statement of
    /// many lines says less than one under its beginning.
    pub fn first_line(&self, span: Span) -> Span {
        let length = self.slice(span).lines().next().map_or(0, |line| line.trim_end().len());
        Span::new(span.start, span.start + length)
    }

    /// The byte offset of the `n`th character (from 0) at or behind `start`;
    /// `None` behind the end.
    ///
    /// PostgreSQL counts positions in characters
    /// (<https://www.postgresql.org/docs/current/protocol-error-fields.html>, field `P`).
    pub fn nth_char(&self, start: usize, n: usize) -> Option<usize> {
        let rest = self.text.get(start..)?;
        rest.char_indices()
            .map(|(at, _)| at)
            .chain(std::iter::once(rest.len()))
            .nth(n)
            .map(|at| start + at)
    }
}

/// A path for people and terminals.
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// True for what changes how a terminal shows the text around it: control characters,
/// and those that turn the direction of writing (Unicode's `Bidi_Control`,
/// <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
pub fn is_disguise(c: char) -> bool {
    let turns = ['\u{061c}', '\u{200e}', '\u{200f}'];
    c.is_control()
        || turns.contains(&c)
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text from elsewhere for people and terminals: what would disguise it is written
/// as escapes.
pub fn shown(text: &str) -> String {
    let escaped =
        |c: char| if is_disguise(c) { c.escape_default().to_string() } else { c.to_string() };
    if text.contains(is_disguise) { text.chars().map(escaped).collect() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_count_lines_and_characters_from_one() {
        let source = Source::new("a.sql", "äb\ncd");
        let cases = [(0, (1, 1)), (2, (1, 2)), (1, (1, 1)), (3, (1, 3)), (4, (2, 1)), (99, (2, 3))];
        for (offset, (line, column)) in cases {
            assert_eq!(source.location(offset), Location { line, column }, "offset {offset}");
        }
    }

    #[test]
    fn the_nth_character_is_found_behind_an_offset() {
        let source = Source::new("a.sql", "äbc");
        assert_eq!(source.nth_char(0, 1), Some(2));
        assert_eq!(source.nth_char(2, 1), Some(3));
        assert_eq!(source.nth_char(2, 2), Some(4), "the end itself is a place");
        assert_eq!(source.nth_char(2, 3), None);
    }
}
