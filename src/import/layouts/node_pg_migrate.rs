//! node-pg-migrate's SQL files.
//!
//! The sections begin at the first `-- Up Migration` and the first
//! `-- Down Migration`, in any case; without either the whole file is up
//! (<https://salsita.github.io/node-pg-migrate/migrations/>). Files run in the order of
//! the instant in their names, which is milliseconds since 1970 or 17 digits of a date and
//! a time, each in a transaction but for one with `-- no transaction` at its head. What
//! stands before both lines is not run. Pairs of files are another layout, which must be
//! configured.

use std::sync::Arc;

use super::super::Layout;
use super::super::piece::{Piece, lines};
use super::super::reading::{Cut, Reading, malformed};
use super::sectioned::{self, Order, Rules};
use crate::model::{Diagnostic, Source, Span};

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let rules = Rules { layout: Layout::NodePgMigrate, order: Order::Instant, cut };
    sectioned::read(reading, &rules);
}

/// True for a file with both of its marks, or the first one.
pub(in super::super) fn is_marked(source: &Source) -> bool {
    lines(source).any(|(_, line)| is_mark(line, "up"))
}

/// `/^\s*--[\s-]*up\s+migration/i` on one line.
fn is_mark(line: &str, direction: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("--") else { return false };
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
    let lower = rest.to_ascii_lowercase();
    let behind = lower.strip_prefix(direction).unwrap_or_default();
    behind.trim_start().starts_with("migration") && behind.starts_with(char::is_whitespace)
}

/// `/^--[ \t]*no[ \t]*transaction[ \t]*$/i` among the first comments.
fn says_no_transaction(source: &Source) -> bool {
    let is_head = |(_, line): &(Span, &str)| line.is_empty() || line.trim().starts_with("--");
    let words = |line: &str| line.split_whitespace().collect::<String>().to_ascii_lowercase();
    lines(source).take_while(is_head).any(|(_, line)| words(line) == "--notransaction")
}

fn cut(source: &Arc<Source>) -> Result<Cut, Diagnostic> {
    let is_down = source.path().to_str().is_some_and(|path| path.ends_with(".down.sql"));
    if is_down {
        let why = "its name says that it undoes another file: `--from plain` reads such pairs";
        return Err(malformed(source, Span::at(0), why));
    }
    let outside_transaction = says_no_transaction(source);
    let end = source.text().len();
    let mark =
        |direction| lines(source).find(|(_, line)| is_mark(line, direction)).map(|(span, _)| span);
    let (up, down) = match (mark("up"), mark("down")) {
        (None, None) => {
            let up = Piece::whole(source);
            return Ok(Cut { up, down: None, outside_transaction });
        }
        (None, Some(at)) => {
            let why = "without `-- Up Migration` node-pg-migrate runs all of the file, what undoes it too";
            return Err(malformed(source, at, why));
        }
        (Some(up), down) => (up, down),
    };
    let first = down.map_or(up.start, |down| down.start.min(up.start));
    let is_sql = |(span, line): &(Span, &str)| {
        span.start < first && !line.trim().is_empty() && !line.trim_start().starts_with("--")
    };
    if let Some((at, _)) = lines(source).find(is_sql) {
        return Err(malformed(
            source,
            at,
            "node-pg-migrate does not run what stands before its sections",
        ));
    }
    let section = |at: Span, other: Option<Span>| {
        let to = other.filter(|other| other.start > at.start).map_or(end, |other| other.start);
        Span::new(at.end, to)
    };
    Ok(Cut {
        up: Piece::of(source, [Span::new(0, first), section(up, down)]),
        down: down.map(|at| Piece::of(source, [section(at, Some(up))])),
        outside_transaction,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let source = Arc::new(Source::new("1.sql", text));
        match cut(&source) {
            Ok(cut) => {
                let outside = if cut.outside_transaction { "|outside" } else { "" };
                format!("{}|{:?}{outside}", cut.up.text(), cut.down.map(|down| down.text()))
            }
            Err(problem) => problem.message,
        }
    }

    #[test]
    fn sections_are_cut() {
        let cases = [
            ("-- Up Migration\na;\n-- Down Migration\nb;", "a;|Some(\"b;\")"),
            ("-- x\n--- up  migration of it\na;", "-- x\na;|None"),
            ("-- Down Migration\nb;\n-- Up Migration\na;", "a;|Some(\"b;\")"),
            ("a;", "a;|None"),
            (
                "\n-- x\n-- No Transaction\n-- Up Migration\na;",
                "-- x\n-- No Transaction\na;|None|outside",
            ),
            ("a;\n-- no transaction", "a;\n-- no transaction|None"),
            ("-- up-migration\na;", "-- up-migration\na;|None"),
            (
                "a;\n-- Down Migration\nb;",
                "without `-- Up Migration` node-pg-migrate runs all of the file, what undoes it too",
            ),
            (
                "a;\n-- Up Migration\nb;",
                "node-pg-migrate does not run what stands before its sections",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
