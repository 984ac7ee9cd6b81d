//! Sections of tools whose files are numbered and otherwise plain.
//!
//! To run such a file as a whole would make everything and drop it again. So the
//! comments that begin what undoes a file are known of tern
//! (<https://github.com/jackc/tern#migrations>), sql-migrate
//! (<https://github.com/rubenv/sql-migrate#writing-migrations>), MyBatis Migrations
//! (<https://mybatis.org/migrations/new.html>), Play's evolutions, rambler and micrate,
//! and of the layouts that have a reader of their own. A block that sql-migrate, micrate
//! or goose sends as one gets the semicolon that it need not have.
//!
//! A comment at the head of a file can keep it out of a transaction: postgres-migrations
//! (<https://github.com/ThomWright/postgres-migrations#migrations-rules>), Atlas
//! (<https://atlasgo.io/versioned/apply#transaction-configuration>), tern and
//! sql-migrate.

use std::sync::Arc;

use super::super::piece::{Piece, lacks_semicolon, lines};
use super::super::reading::{Cut, malformed};
use crate::model::{Diagnostic, Source, Span};

/// How a line begins with which the way back begins, without blanks and in small
/// letters.
const DOWN: [&str; 8] = [
    "----createabove/dropbelow----",
    "--+migratedown",
    "--+micratedown",
    "--+goosedown",
    "--migrate:down",
    "--ramblerdown",
    "--//@undo",
    "--!downs",
];

/// The same with the way forth.
const UP: [&str; 6] =
    ["--+migrateup", "--+micrateup", "--+gooseup", "--migrate:up", "--ramblerup", "--!ups"];

/// sql-migrate's two.
const SQL_MIGRATE: [&str; 2] = ["--+migrateup", "--+migratedown"];

/// node-pg-migrate's words are anybody's: only a line that has no others is a mark.
const WORDS: [&str; 2] = ["--downmigration", "--upmigration"];

/// Lines that keep a script out of a transaction.
const NO_TRANSACTION: [&str; 4] = [
    "--postgres-migrationsdisable-transaction",
    "--atlas:txmodenone",
    "----tern:disable-tx----",
    "--+migrateupnotransaction",
];

/// What is around a block that is sent as one.
const BLOCK_BEGIN: [&str; 3] =
    ["--+migratestatementbegin", "--+micratestatementbegin", "--+goosestatementbegin"];
const BLOCK_END: [&str; 3] =
    ["--+migratestatementend", "--+micratestatementend", "--+goosestatementend"];

/// A comment's text without blanks, in small letters; `None` for any other line.
fn squeezed(line: &str) -> Option<String> {
    let line = line.trim_start();
    let blank = |c: &char| !c.is_whitespace();
    line.starts_with("--").then(|| line.chars().filter(blank).collect::<String>().to_lowercase())
}

fn begins(line: &str, marks: &[&str]) -> bool {
    squeezed(line).is_some_and(|it| marks.iter().any(|mark| it.starts_with(mark)))
}

fn is(line: &str, words: &str) -> bool {
    squeezed(line).is_some_and(|it| it == words)
}

/// Where blocks end that have no semicolon there.
fn unterminated(source: &Source) -> Vec<usize> {
    let mut begin = None;
    let mut found = Vec::new();
    for (span, line) in lines(source) {
        if begins(line, &BLOCK_BEGIN) {
            begin = Some(span.end);
        } else if begins(line, &BLOCK_END)
            && let Some(start) = begin.take()
        {
            found.extend(lacks_semicolon(source, Span::new(start, span.start)));
        }
    }
    found
}

/// A file cut at the comment with which the way back begins; as a whole without one.
///
/// # Errors
///
/// A way forth behind the way back: which belongs to which is the tool's affair, but
/// for sql-migrate, whose sections may come in any order.
pub(super) fn cut(source: &Arc<Source>) -> Result<Cut, Diagnostic> {
    let Cut { up, down, outside_transaction } = cut_at_marks(source)?;
    let unterminated = unterminated(source);
    let ended = |piece: Piece| piece.terminated(&unterminated);
    Ok(Cut { up: ended(up), down: down.map(ended), outside_transaction })
}

fn cut_at_marks(source: &Arc<Source>) -> Result<Cut, Diagnostic> {
    let [down, up] = WORDS;
    let is_back = |line: &str| begins(line, &DOWN) || is(line, down);
    let mut back = lines(source).skip_while(|(_, line)| !is_back(line));
    let Some((mark, first)) = back.next() else {
        let outside_transaction = says_no_transaction(source);
        return Ok(Cut { up: Piece::whole(source), down: None, outside_transaction });
    };
    match back.find(|(_, line)| begins(line, &UP) || is(line, up)) {
        None => Ok(Cut {
            up: Piece::of(source, [Span::new(0, mark.start)]),
            down: Some(Piece::of(source, [Span::new(mark.end, source.text().len())])),
            outside_transaction: says_no_transaction(source),
        }),
        Some((_, line)) if [first, line].iter().all(|it| begins(it, &SQL_MIGRATE)) => {
            Ok(sections(source))
        }
        Some((at, _)) => {
            let why = "a second way forth stands behind the way back: put all of it before";
            Err(malformed(source, at, why))
        }
    }
}

fn says_no_transaction(source: &Source) -> bool {
    lines(source)
        .take_while(|(_, line)| line.trim().is_empty() || squeezed(line).is_some())
        .any(|(_, line)| begins(line, &NO_TRANSACTION))
}

/// sql-migrate's sections: each goes up to the next, and those of one direction are one.
fn sections(source: &Arc<Source>) -> Cut {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let (mut is_down, mut outside_transaction) = (false, false);
    for (span, line) in lines(source) {
        if begins(line, &SQL_MIGRATE) {
            is_down = begins(line, &DOWN);
            outside_transaction |= begins(line, &NO_TRANSACTION);
        } else if is_down {
            down.push(span);
        } else {
            up.push(span);
        }
    }
    Cut { up: Piece::of(source, up), down: Some(Piece::of(source, down)), outside_transaction }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let source = Arc::new(Source::new("1.sql", text));
        match cut(&source) {
            Ok(cut) => {
                let down = cut.down.map(|down| down.text());
                format!("{}|{down:?}|{}", cut.up.text(), cut.outside_transaction)
            }
            Err(problem) => problem.message,
        }
    }

    #[test]
    fn sections_are_cut() {
        let cases = [
            ("a;", "a;|None|false"),
            ("-- undo this by hand\na;", "-- undo this by hand\na;|None|false"),
            ("a;\n---- create above / drop below ----\nb;", "a;|Some(\"b;\")|false"),
            ("---- tern: disable-tx ----\na;", "---- tern: disable-tx ----\na;|None|true"),
            ("-- +migrate Up\na;\n-- +migrate Down\nb;", "-- +migrate Up\na;|Some(\"b;\")|false"),
            (
                "-- +migrate Up\n-- +migrate StatementBegin\na; b\n-- +migrate StatementEnd\nc;\n-- +migrate Down\n-- +migrate StatementBegin\nd\n-- +migrate StatementEnd",
                "-- +migrate Up\n-- +migrate StatementBegin\na; b;\n-- +migrate StatementEnd\nc;|Some(\"-- +migrate StatementBegin\\nd;\\n-- +migrate StatementEnd\")|false",
            ),
            ("-- +migrate Up notransaction\na;", "-- +migrate Up notransaction\na;|None|true"),
            ("a;\n-- Down Migration\nb;", "a;|Some(\"b;\")|false"),
            ("-- down migration: none\na;", "-- down migration: none\na;|None|false"),
            ("-- // x\na;\n-- //@UNDO\nb;", "-- // x\na;|Some(\"b;\")|false"),
            ("-- atlas:txmode none\n\na;", "-- atlas:txmode none\n\na;|None|true"),
            ("a;\n-- atlas:txmode none", "a;\n-- atlas:txmode none|None|false"),
            (
                "-- x\n-- postgres-migrations disable-transaction\na;",
                "-- x\n-- postgres-migrations disable-transaction\na;|None|true",
            ),
            ("-- x\n-- +migrate Down\nb;\n-- +migrate Up\na;", "-- x\na;|Some(\"b;\")|false"),
            ("-- +migrate Down\nb;\n-- +migrate Up notransaction\na;", "a;|Some(\"b;\")|true"),
            (
                "-- +migrate Down\n-- +migrate StatementBegin\nb\n-- +migrate StatementEnd\n-- +migrate Up\na;",
                "a;|Some(\"-- +migrate StatementBegin\\nb;\\n-- +migrate StatementEnd\")|false",
            ),
            (
                "-- +migrate Up\na;\n-- +migrate Down\nb;\n-- +migrate Up\nc;",
                "a;\nc;|Some(\"b;\")|false",
            ),
            (
                "-- +micrate Up\na;\n-- +micrate Down\nb;\n-- +micrate Up\nc;",
                "a second way forth stands behind the way back: put all of it before",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
