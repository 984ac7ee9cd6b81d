//! Parts of a source file that become a section.

use std::sync::Arc;

use crate::model::{Source, Span};
use crate::parse;
use crate::syntax::{TokenKind, lex};

/// What makes a comment that would begin a section of ours a plain one.
const REMARK: &str = "(not a section) ";

/// What makes a statement a comment.
const COMMENT: &str = "-- (not needed) ";

/// A text that is put together from parts of one file, so that each place in it can
/// be told in that file.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) source: Arc<Source>,
    parts: Vec<Part>,
}

/// A part is of the file, or was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Kept(Span),
    Added(&'static str),
}

impl Part {
    fn text(self, source: &Source) -> &str {
        match self {
            Self::Kept(span) => source.slice(span),
            Self::Added(text) => text,
        }
    }
}

impl Piece {
    /// The whole file.
    pub(super) fn whole(source: &Arc<Source>) -> Self {
        Self::of(source, [Span::new(0, source.text().len())])
    }

    /// These parts of it, without the empty lines at both ends.
    pub(super) fn of(source: &Arc<Source>, spans: impl IntoIterator<Item = Span>) -> Self {
        let mut parts: Vec<Span> = Vec::new();
        for span in spans {
            match parts.last_mut() {
                Some(last) if last.end == span.start => last.end = span.end,
                _ => parts.push(span),
            }
        }
        trim(source, &mut parts);
        let parts = parts.into_iter().map(Part::Kept).collect();
        Self { source: Arc::clone(source), parts }
    }

    /// The same with a `;` behind each of these places in the file.
    pub(super) fn terminated(mut self, places: &[usize]) -> Self {
        for place in places {
            let has = |part: &Part| matches!(part, Part::Kept(span) if span.start < *place && *place <= span.end);
            if let Some(index) = self.parts.iter().position(has)
                && let Part::Kept(span) = self.parts[index]
            {
                self.split(index, place - span.start, ";");
            }
        }
        self
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        self.parts.iter().map(|part| part.text(&self.source)).collect()
    }

    /// True when there is nothing in it.
    pub(super) fn is_blank(&self) -> bool {
        self.text().trim().is_empty()
    }

    /// The place in the file of a part of the text; what was added has the place of
    /// what stands behind it.
    pub(super) fn locate(&self, span: Span) -> Span {
        let start = self.offset(span.start);
        let end = self.offset(span.end.saturating_sub(1)) + usize::from(!span.is_empty());
        let whole = self.source.text().len();
        let boundary = (end..whole).find(|at| self.source.text().is_char_boundary(*at));
        Span::new(start, if span.is_empty() { start } else { boundary.unwrap_or(whole) })
    }

    fn offset(&self, offset: usize) -> usize {
        let mut at = 0;
        let mut last = 0;
        for part in &self.parts {
            let length = part.text(&self.source).len();
            match part {
                Part::Kept(span) if offset < at + length => {
                    return span.start + offset.saturating_sub(at);
                }
                Part::Kept(span) => last = span.end,
                Part::Added(_) => {}
            }
            at += length;
        }
        last
    }

    /// The same, in which no comment begins a section; and the places in the file of
    /// the comments that would have.
    pub(super) fn without_markers(mut self) -> (Self, Vec<Span>) {
        let text = self.text();
        let markers = parse::section_markers(&text);
        let places = markers.iter().map(|marker| self.locate(*marker)).collect();
        for marker in markers.iter().rev() {
            let comment = &text[marker.start..marker.end];
            let dashes = comment.len() - comment.trim_start_matches(['-', ' ', '\t']).len();
            self.insert(marker.start + dashes, REMARK);
        }
        (self, places)
    }

    /// The same, in which what stands at `offset` of the text up to the end of its line
    /// is a comment.
    pub(super) fn remarked(mut self, offset: usize) -> Self {
        self.insert(offset, COMMENT);
        self
    }

    /// The same with `added` at `offset` of the text.
    pub(super) fn with(mut self, offset: usize, added: &'static str) -> Self {
        self.insert(offset, added);
        self
    }

    /// Puts `added` at `offset` of the text, or at its end.
    fn insert(&mut self, offset: usize, added: &'static str) {
        let mut at = 0;
        for index in 0..self.parts.len() {
            let part = self.parts[index];
            let length = part.text(&self.source).len();
            if matches!(part, Part::Kept(_)) && (at..at + length).contains(&offset) {
                return self.split(index, offset - at, added);
            }
            at += length;
        }
        self.parts.push(Part::Added(added));
    }

    /// Puts `added` into a part of the file, so far behind its beginning.
    fn split(&mut self, index: usize, behind: usize, added: &'static str) {
        let Part::Kept(span) = self.parts[index] else { return };
        let middle = span.start + behind;
        let (before, behind) = (Span::new(span.start, middle), Span::new(middle, span.end));
        self.parts
            .splice(index..=index, [Part::Kept(before), Part::Added(added), Part::Kept(behind)]);
    }
}

/// Where a block that a tool sends as one lacks the semicolon at its end.
pub(super) fn lacks_semicolon(source: &Source, block: Span) -> Option<usize> {
    let tokens = lex(source.slice(block)).tokens;
    let last = tokens.iter().rev().find(|token| token.kind.is_significant())?;
    (last.kind != TokenKind::Semicolon).then(|| block.start + last.span().end)
}

/// Takes empty lines off both ends.
fn trim(source: &Source, parts: &mut Vec<Span>) {
    while let Some(first) = parts.first_mut() {
        let text = source.slice(*first);
        let blank = text.len() - text.trim_start().len();
        let lines = text[..blank].rfind('\n').map_or(0, |at| at + 1);
        first.start += if blank == text.len() { blank } else { lines };
        if !first.is_empty() {
            break;
        }
        parts.remove(0);
    }
    while let Some(last) = parts.last_mut() {
        last.end = last.start + source.slice(*last).trim_end().len();
        if !last.is_empty() {
            break;
        }
        parts.pop();
    }
}

/// The lines of a file with their line ends.
pub(super) fn lines(source: &Source) -> impl Iterator<Item = (Span, &str)> {
    let mut at = 0;
    source.text().split_inclusive('\n').map(move |line| {
        let span = Span::new(at, at + line.len());
        at = span.end;
        (span, line.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source::new("a.sql", text))
    }

    #[test]
    fn parts_are_joined_and_places_are_those_of_the_file() {
        let source = source("\n\n  a;\n-- cut\né;\n\n");
        let piece = Piece::of(&source, [Span::new(0, 7), Span::new(14, 19)]);
        assert_eq!(piece.text(), "  a;\né;");
        let text = piece.text();
        let at = |wanted: &str| {
            let at = text.find(wanted).unwrap();
            source.slice(piece.locate(Span::new(at, at + wanted.len())))
        };
        assert_eq!((at("a;"), at("é"), at(";\né")), ("a;", "é", ";\n-- cut\né"));
        assert!(Piece::of(&source, [Span::new(0, 1), Span::new(18, 19)]).is_blank());
    }

    #[test]
    fn a_comment_that_would_be_a_marker_becomes_a_remark() {
        let source = source("a;\n  --  DOWN MIGRATION\n-- up migration\nb '\n-- UP MIGRATION\n';");
        let (piece, places) = Piece::whole(&source).without_markers();
        assert_eq!(
            piece.text(),
            "a;\n  --  (not a section) DOWN MIGRATION\n-- (not a section) up migration\nb '\n-- UP MIGRATION\n';"
        );
        assert!(parse::section_markers(&piece.text()).is_empty());
        let lines: Vec<_> = places.iter().map(|at| source.location(at.start).line).collect();
        assert_eq!(lines, [2, 3]);
        let at = piece.text().find('b').unwrap();
        assert_eq!(source.slice(piece.locate(Span::new(at, at + 1))), "b");
    }
}
