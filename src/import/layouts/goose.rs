//! goose: annotations in one file.
//!
//! `-- +goose Up` and `-- +goose Down` begin the sections; `StatementBegin` and
//! `StatementEnd` hold what is sent as one together, whatever semicolons are in it. To
//! migraph's lexer the semicolons tell enough, but for the last, which goose does not
//! ask for and which is added; `NO TRANSACTION` runs every statement by itself, else a
//! file is one transaction; `ENVSUB ON` puts environment variables in
//! (<https://pressly.github.io/goose/documentation/annotations/>). Files run in the
//! order of the number before the first `_`.

use std::sync::Arc;

use super::super::Layout;
use super::super::piece::{Piece, lacks_semicolon, lines};
use super::super::reading::{Cut, Reading, malformed};
use super::super::template::shell_variable;
use super::sectioned::{self, Order, Rules};
use crate::model::{Code, Diagnostic, Place, Source, Span};

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let rules = Rules { layout: Layout::Goose, order: Order::Number, cut };
    sectioned::read(reading, &rules);
}

/// True for a file with an annotation of goose's.
pub(in super::super) fn is_marked(source: &Source) -> bool {
    lines(source).any(|(_, line)| annotation(line).is_some_and(|it| it == "up" || it == "down"))
}

/// The words behind `-- +goose`, in lower case.
fn annotation(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("--")?.trim_start().strip_prefix("+goose")?;
    let words: Vec<_> = rest.split_whitespace().map(str::to_ascii_lowercase).collect();
    rest.starts_with(char::is_whitespace).then(|| words.join(" "))
}

/// Which section a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Before,
    Up,
    Down,
}

/// A file while it is cut.
struct Cutter<'a> {
    source: &'a Arc<Source>,
    section: Section,
    before: Vec<Span>,
    up: Option<Vec<Span>>,
    down: Option<Vec<Span>>,
    outside_transaction: bool,
    substitutes: bool,
    /// Where the block begins that is open.
    block: Option<Span>,
    /// Where blocks end that have no semicolon there.
    unterminated: Vec<usize>,
}

fn cut(source: &Arc<Source>) -> Result<Cut, Diagnostic> {
    let mut cutter = Cutter {
        source,
        section: Section::Before,
        before: vec![],
        up: None,
        down: None,
        outside_transaction: false,
        substitutes: false,
        block: None,
        unterminated: vec![],
    };
    for (span, line) in lines(source) {
        match annotation(line) {
            Some(words) => cutter.annotated(span, &words)?,
            None => cutter.line(span, line)?,
        }
    }
    if let Some(open) = cutter.block {
        return Err(malformed(source, open, "there is no `-- +goose StatementEnd` for this"));
    }
    let missing = || malformed(source, Span::at(0), "there is no line `-- +goose Up`");
    let up = cutter.up.ok_or_else(missing)?;
    let unterminated = cutter.unterminated;
    Ok(Cut {
        up: Piece::of(source, cutter.before.into_iter().chain(up)).terminated(&unterminated),
        down: cutter.down.map(|spans| Piece::of(source, spans).terminated(&unterminated)),
        outside_transaction: cutter.outside_transaction,
    })
}

impl Cutter<'_> {
    fn annotated(&mut self, span: Span, words: &str) -> Result<(), Diagnostic> {
        match words {
            // Older ones take it for a plain comment.
            _ if self.source.slice(span).starts_with(char::is_whitespace) => {
                return Err(malformed(self.source, span, "goose refuses blanks before this"));
            }
            "up" | "down" | "statementbegin" if self.block.is_some() => {
                return Err(malformed(self.source, span, "the block before it is still open"));
            }
            "up" if self.up.is_none() => {
                self.section = Section::Up;
                self.up = Some(vec![]);
            }
            "down" if self.down.is_none() => {
                self.section = Section::Down;
                self.down = Some(vec![]);
            }
            "up" | "down" => {
                return Err(malformed(self.source, span, "goose refuses a second one of these"));
            }
            "no transaction" => self.outside_transaction = true,
            "envsub on" => self.substitutes = true,
            "envsub off" => self.substitutes = false,
            "statementbegin" => self.block = Some(span),
            "statementend" => match self.block.take() {
                Some(begin) => {
                    let block = Span::new(begin.end, span.start);
                    self.unterminated.extend(lacks_semicolon(self.source, block));
                }
                None => return Err(malformed(self.source, span, "no block is open here")),
            },
            _ => return Err(malformed(self.source, span, "goose has no such annotation")),
        }
        Ok(())
    }

    fn line(&mut self, span: Span, line: &str) -> Result<(), Diagnostic> {
        let is_sql = !line.trim().is_empty() && !line.trim_start().starts_with("--");
        if self.section == Section::Before && is_sql {
            return Err(malformed(
                self.source,
                span,
                "SQL before `-- +goose Up`, which goose refuses",
            ));
        }
        if let Some(at) = shell_variable(self.source, span).filter(|_| self.substitutes && is_sql) {
            let problem = Diagnostic::error(Code::Template, "goose puts a variable in here");
            let help = "`--define NAME=VALUE` puts values in for `${NAME}`";
            return Err(problem.at(Place::new(self.source, at, "")).help(help));
        }
        match self.section {
            Section::Before => self.before.push(span),
            Section::Up => self.up.get_or_insert_default().push(span),
            Section::Down => self.down.get_or_insert_default().push(span),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let source = Arc::new(Source::new("1.sql", text));
        match cut(&source) {
            Ok(cut) => {
                let down = cut.down.map(|down| down.text());
                format!("{}|{:?}|{}", cut.up.text(), down, cut.outside_transaction)
            }
            Err(problem) => problem.message,
        }
    }

    #[test]
    fn sections_are_cut_and_annotations_taken_out() {
        let cases = [
            ("-- +goose Up\na;\n-- +goose Down\nb;\n", "a;|Some(\"b;\")|false"),
            ("-- +goose NO TRANSACTION\n-- +goose up\na;", "a;|None|true"),
            (
                "-- x\n-- +goose Up\n-- +goose StatementBegin\na;\n-- +goose StatementEnd\n-- y",
                "-- x\na;\n-- y|None|false",
            ),
            (
                "-- +goose Up\n-- +goose StatementBegin\na; b -- ;\n-- +goose StatementEnd\nc;\n-- +goose Down\n-- +goose StatementBegin\nd\n-- +goose StatementEnd",
                "a; b; -- ;\nc;|Some(\"d;\")|false",
            ),
            (
                "-- +goose Up\n-- +goose StatementBegin\n-- y\n-- +goose StatementEnd\nb;",
                "-- y\nb;|None|false",
            ),
            (
                "-- +goose Up\n-- +goose StatementBegin\na;",
                "there is no `-- +goose StatementEnd` for this",
            ),
            (
                "-- +goose Up\n-- +goose StatementBegin\na;\n-- +goose Down",
                "the block before it is still open",
            ),
            ("-- +goose Up\na;\n-- +goose StatementEnd", "no block is open here"),
            ("-- +goose Up\n-- +goose ENVSUB ON\na $1 $$;", "a $1 $$;|None|false"),
            ("-- +goose Up\n-- +goose ENVSUB ON\na ${B};", "goose puts a variable in here"),
            ("-- +goose Up\na ${B};", "a ${B};|None|false"),
            ("a;", "SQL before `-- +goose Up`, which goose refuses"),
            ("-- a", "there is no line `-- +goose Up`"),
            ("-- +goose Up\n-- +goose Up", "goose refuses a second one of these"),
            ("-- +goose Left", "goose has no such annotation"),
            ("-- +goose Up\na;\n -- +goose Down\nb;", "goose refuses blanks before this"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
