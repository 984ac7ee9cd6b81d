//! A script that takes part in the transaction of the other tool.
//!
//! Most tools begin a transaction, send the script and commit; others send it in one
//! message, of which PostgreSQL makes a transaction. A script may end that one, to run
//! `CREATE INDEX CONCURRENTLY` behind it, and may leave one of its own to the tool's
//! COMMIT. Here what the tool did is written out, because such blocks are recorded each.

use super::piece::Piece;
use crate::model::{Code, Diagnostic, Diagnostics, Place, Span};
use crate::syntax::{Control, Meaning, StatementTokens, lex, statements};

/// A statement of the script that begins or ends a transaction.
#[derive(Clone, Copy)]
enum Turn {
    Begin(Span),
    Commit(Span),
}

/// The turns of a script; `None` when one of them is something else, a ROLLBACK for
/// example: then nobody can say what it was meant to end.
fn turns(statements: &[StatementTokens<'_>]) -> Option<Vec<Turn>> {
    let turn = |one: &StatementTokens<'_>| match one.meaning() {
        Meaning::Control(Control::Begin { .. }) => Some(Some(Turn::Begin(one.span()))),
        Meaning::Control(Control::Commit { chain: false }) => Some(Some(Turn::Commit(one.span()))),
        Meaning::Control(_) => Some(None),
        _ => None,
    };
    statements.iter().filter_map(turn).collect()
}

/// With the BEGIN and the COMMIT that the tool sent.
pub(super) fn completed(piece: Piece, notes: &mut Diagnostics) -> Piece {
    let text = piece.text();
    let lexed = lex(&text);
    let statements = statements(&text, &lexed.tokens);
    let turns = turns(&statements).unwrap_or_default();
    let (Some(start), Some(end)) = (statements.first(), statements.last()) else { return piece };
    if let [Turn::Begin(only)] = turns[..] {
        return without_begin(piece, only, notes);
    }
    let mut added = Vec::new();
    for (commit, first) in without_a_begin(&statements, &turns) {
        let what = if first == start.span().start {
            "this ended the transaction that the tool had begun: `BEGIN;` was put before the first statement"
        } else {
            "this ended what stands behind the COMMIT before it: `BEGIN;` was put there"
        };
        notes.push(note(&piece, commit, Code::OwnTransaction, what));
        added.push((first, "BEGIN;\n"));
    }
    if let Some(Turn::Begin(at)) = turns.last() {
        let what = "the tool ended this transaction: `COMMIT;` was put at the end";
        notes.push(note(&piece, *at, Code::OwnTransaction, what));
        let is_open = !text[..end.span().end].ends_with(';');
        added.extend(is_open.then(|| (end.span().end, ";")));
        added.push((text.len(), "\nCOMMIT;"));
    }
    added.into_iter().rev().fold(piece, |piece, (at, what)| piece.with(at, what))
}

/// Each COMMIT that has no BEGIN, and where the first statement begins that it commits.
/// The server takes what is sent in one message for a transaction as far as the next
/// COMMIT (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>).
fn without_a_begin(statements: &[StatementTokens<'_>], turns: &[Turn]) -> Vec<(Span, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    for (at, turn) in turns.iter().enumerate() {
        let Turn::Commit(commit) = *turn else { continue };
        let begun = at.checked_sub(1).is_some_and(|at| matches!(turns[at], Turn::Begin(_)));
        let first = statements.iter().map(|it| it.span().start).find(|start| *start >= from);
        // A second COMMIT right behind the first has nothing to commit.
        let first = first.filter(|first| at == 0 || *first < commit.start);
        found.extend(first.filter(|_| !begun).map(|first| (commit, first)));
        from = commit.end;
    }
    found
}

/// Without a BEGIN that nothing ends and that began nothing: the tool had done so, and
/// so does migraph.
fn without_begin(piece: Piece, begin: Span, notes: &mut Diagnostics) -> Piece {
    let text = piece.text();
    let line = text[begin.end..].lines().next().unwrap_or_default().trim_start();
    // The rest of the line becomes a remark too.
    if !(line.is_empty() || line.starts_with("--")) {
        return piece;
    }
    let what = "this BEGIN became a remark: the tool had begun a transaction before it, and so does migraph";
    notes.push(note(&piece, begin, Code::Remarked, what));
    piece.remarked(begin.start)
}

/// Without a COMMIT at the end that no BEGIN goes before: the tool's own transaction
/// ended there, and ours does anyway.
pub(super) fn uncommitted(piece: Piece, notes: &mut Diagnostics) -> Piece {
    let text = piece.text();
    let lexed = lex(&text);
    let statements = statements(&text, &lexed.tokens);
    let is_control = |one: &&StatementTokens<'_>| matches!(one.meaning(), Meaning::Control(_));
    let mut controls = statements.iter().filter(is_control);
    let commit = Meaning::Control(Control::Commit { chain: false });
    match (controls.next(), controls.next(), statements.last()) {
        (Some(only), None, Some(last))
            if last.meaning() == commit && only.span() == last.span() =>
        {
            let message = "the COMMIT at the end became a remark: migraph commits there itself";
            notes.push(note(&piece, last.span(), Code::Remarked, message));
            piece.remarked(last.span().start)
        }
        _ => piece,
    }
}

fn note(piece: &Piece, at: Span, code: Code, what: &str) -> Diagnostic {
    Diagnostic::warning(code, what).at(Place::new(&piece.source, piece.locate(at), ""))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Source;

    #[test]
    fn what_the_tool_sent_is_written_out() {
        let cases = [
            ("-- x\na; COMMIT;\nb;", "-- x\nBEGIN;\na; COMMIT;\nb;", 1),
            ("COMMIT;--> y\nb;", "BEGIN;\nCOMMIT;--> y\nb;", 1),
            ("a; COMMIT; b; BEGIN;", "BEGIN;\na; COMMIT; b; BEGIN;\nCOMMIT;", 2),
            ("a; COMMIT; BEGIN; b -- y", "BEGIN;\na; COMMIT; BEGIN; b; -- y\nCOMMIT;", 2),
            ("BEGIN; a; COMMIT; BEGIN; b;", "BEGIN; a; COMMIT; BEGIN; b;\nCOMMIT;", 1),
            ("a;\nBEGIN; -- y\nb;", "a;\n-- (not needed) BEGIN; -- y\nb;", 1),
            ("a; COMMIT;\nb; c; COMMIT; d;", "BEGIN;\na; COMMIT;\nBEGIN;\nb; c; COMMIT; d;", 2),
            ("BEGIN; a; COMMIT; b; COMMIT;", "BEGIN; a; COMMIT; BEGIN;\nb; COMMIT;", 1),
            ("a; COMMIT; COMMIT; b;", "BEGIN;\na; COMMIT; COMMIT; b;", 1),
            ("BEGIN; b;", "BEGIN; b;", 0),
            ("BEGIN; a; COMMIT; b;", "BEGIN; a; COMMIT; b;", 0),
            ("a; COMMIT; b; ROLLBACK;", "a; COMMIT; b; ROLLBACK;", 0),
            ("a; COMMIT AND CHAIN; b; COMMIT;", "a; COMMIT AND CHAIN; b; COMMIT;", 0),
            ("do $$ begin commit; end $$;", "do $$ begin commit; end $$;", 0),
        ];
        for (text, expected, count) in cases {
            let source = Arc::new(Source::new("1.sql", text));
            let mut notes = Diagnostics::new();
            let found = completed(Piece::whole(&source), &mut notes);
            assert_eq!((found.text().as_str(), notes.len()), (expected, count), "{text}");
        }
    }
}
