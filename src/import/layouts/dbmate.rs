//! dbmate: `-- migrate:up` and `-- migrate:down` in one file.
//!
//! A file begins with digits and ends in `.sql`; files run in the order of their
//! names, each in a transaction unless `transaction:false` stands behind
//! `-- migrate:up` (<https://github.com/amacneil/dbmate#migration-options>). Before
//! that line there may be comments only.

use std::sync::Arc;

use super::super::Layout;
use super::super::piece::{Piece, lines};
use super::super::reading::{Cut, Reading, malformed};
use super::sectioned::{self, Order, Rules};
use crate::model::{Diagnostic, Source, Span};

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let rules = Rules { layout: Layout::Dbmate, order: Order::Name, cut };
    sectioned::read(reading, &rules);
}

/// True for a file with a section of dbmate's.
pub(in super::super) fn is_marked(source: &Source) -> bool {
    lines(source).any(|(_, line)| options(line, "up").is_some())
}

/// What stands behind `-- migrate:up`, when `line` is that.
fn options<'a>(line: &'a str, direction: &str) -> Option<&'a str> {
    let words = line.strip_prefix("--")?.trim_start();
    let rest = words.strip_prefix("migrate:")?.strip_prefix(direction)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// Whether the options say that there is to be no transaction.
fn says_no_transaction(options: &str) -> bool {
    options.split_whitespace().any(|option| option == "transaction:false")
}

fn cut(source: &Arc<Source>) -> Result<Cut, Diagnostic> {
    let end = source.text().len();
    let mark =
        |direction| lines(source).find_map(|(span, line)| Some((span, options(line, direction)?)));
    let Some((up, up_options)) = mark("up") else {
        return Err(malformed(source, Span::at(0), "there is no line `-- migrate:up`"));
    };
    let down = mark("down");
    let sql = |(span, line): &(Span, &str)| {
        span.start < up.start && !line.trim().is_empty() && !line.trim_start().starts_with("--")
    };
    if let Some((at, _)) = lines(source).find(sql) {
        return Err(malformed(source, at, "SQL before `-- migrate:up`, which dbmate refuses"));
    }
    if let Some((at, _)) = down.filter(|(at, _)| at.start < up.start) {
        return Err(malformed(source, at, "`-- migrate:down` stands before `-- migrate:up`"));
    }
    let up_end = down.map_or(end, |(at, _)| at.start);
    Ok(Cut {
        up: Piece::of(source, [Span::new(0, up.start), Span::new(up.end, up_end)]),
        down: down.map(|(at, _)| Piece::of(source, [Span::new(at.end, end)])),
        outside_transaction: says_no_transaction(up_options),
    })
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
    fn sections_are_cut() {
        let cases = [
            ("-- migrate:up\na;\n-- migrate:down\nb;\n", "a;|Some(\"b;\")|false"),
            ("-- x\n--migrate:up transaction:false\na;", "-- x\na;|None|true"),
            ("-- migrate:up\n-- migrate:upper\na;", "-- migrate:upper\na;|None|false"),
            ("a;", "there is no line `-- migrate:up`"),
            ("a;\n-- migrate:up\nb;", "SQL before `-- migrate:up`, which dbmate refuses"),
            (
                "-- migrate:down\n-- migrate:up\nb;",
                "`-- migrate:down` stands before `-- migrate:up`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
