//! What is changed in a script so that it runs here as the other tool ran it.

use super::piece::Piece;
use super::transaction::{completed, uncommitted};
use crate::model::{Code, Diagnostic, Diagnostics, Place};
use crate::syntax::{TokenKind, lex};

/// Where drizzle cuts a file into statements (`drizzle-orm/src/migrator.ts`).
const BREAKPOINT: &str = "--> statement-breakpoint";

/// The script, mended; the notes say what became of it. `within` says whether the tool
/// ran it in a transaction.
pub(super) fn mended(piece: &Piece, within: bool, notes: &mut Diagnostics) -> Piece {
    let piece = uncommitted(terminated(unmarked(piece, notes)), notes);
    if within { completed(piece, notes) } else { piece }
}

/// Without comments that would begin a section.
fn unmarked(piece: &Piece, notes: &mut Diagnostics) -> Piece {
    let (piece, markers) = piece.clone().without_markers();
    notes.extend(markers.into_iter().map(|span| {
        let message = "this comment would begin a section, and became a remark";
        Diagnostic::warning(Code::Remarked, message).at(Place::new(&piece.source, span, ""))
    }));
    piece
}

/// With a `;` where only drizzle's comment ends a statement.
fn terminated(mut piece: Piece) -> Piece {
    let text = piece.text();
    let mut last = None;
    let mut ends = Vec::new();
    for token in &lex(&text).tokens {
        if token.kind == TokenKind::LineComment && token.text(&text).starts_with(BREAKPOINT) {
            ends.extend(last.take());
        } else if matches!(token.kind, TokenKind::Semicolon | TokenKind::CopyData) {
            last = None;
        } else if token.kind.is_significant() {
            last = Some(token.span().end);
        }
    }
    for end in ends.into_iter().rev() {
        piece = piece.with(end, ";");
    }
    piece
}
