//! A bound on how deeply the parser can be made to recurse.

use super::token::{TokenKind, lex};

/// Brackets that may be open at once.
pub(super) const MAX_BRACKETS: usize = 20_000;

/// Tokens that may pile up without a comma or semicolon between them, summed
/// over all open brackets: prefix and binary operators nest without any bracket
/// (`NOT NOT NOT …`, `1+1+1…`). Measured: 100,000 such levels fit the 64 MB
/// stack of [`super::on_large_stack`], but take the parser half a minute.
const MAX_PILE: usize = 50_000;

/// Brackets without an end that the parser may be given: it looks for the end of
/// each, and 20,000 keep it busy for a minute.
const MAX_UNCLOSED: usize = 200;

/// Why a text is not given to the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooDeep {
    /// Where the limit was passed, or the first of the brackets that have no end.
    pub(super) offset: usize,
    /// Brackets are never closed.
    pub(super) unclosed: bool,
}

/// Checks `text`, the bodies in its strings included, because the parser reads
/// function bodies too.
pub(super) fn check_nesting(text: &str) -> Result<(), TooDeep> {
    check_text(text, MAX_UNCLOSED)
}

fn check_text(text: &str, max_unclosed: usize) -> Result<(), TooDeep> {
    // A text with fewer bytes than the lower limit cannot pass it.
    if text.len() <= MAX_BRACKETS {
        return Ok(());
    }
    let mut piles = vec![0_usize];
    let mut open = Vec::new();
    let mut total = 0_usize;
    for token in lex(text).tokens {
        let offset = token.span().start;
        match token.kind {
            TokenKind::Open => {
                piles.push(0);
                open.push(offset);
            }
            TokenKind::Close if piles.len() > 1 => {
                total -= piles.pop().unwrap_or(0);
                open.pop();
            }
            TokenKind::Comma | TokenKind::Semicolon => {
                total -= piles.last_mut().map_or(0, std::mem::take);
            }
            TokenKind::DollarStr | TokenKind::Str => body(token.text(text))?,
            kind if kind.is_significant() => {
                total += 1;
                if let Some(top) = piles.last_mut() {
                    *top += 1;
                }
            }
            _ => {}
        }
        if piles.len() > MAX_BRACKETS + 1 || total > MAX_PILE {
            return Err(TooDeep { offset, unclosed: false });
        }
    }
    match open.first() {
        Some(offset) if open.len() > max_unclosed => {
            Err(TooDeep { offset: *offset, unclosed: true })
        }
        _ => Ok(()),
    }
}

/// Checks what a string holds. Its own place is good enough for the message, so
/// the inner offset is not passed on.
fn body(literal: &str) -> Result<(), TooDeep> {
    let delimiter = match literal.strip_prefix('$') {
        Some(rest) => rest.find('$').map_or(1, |at| at + 2),
        None => 1,
    };
    // Shorter at each level, so the recursion ends.
    let inner = literal.get(delimiter..literal.len().saturating_sub(delimiter));
    // A string may hold anything, and most that hold brackets without an end are data.
    let max_unclosed = if literal.starts_with('$') { 10 * MAX_UNCLOSED } else { usize::MAX };
    inner.map_or(Ok(()), |inner| check_text(inner, max_unclosed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded_in_brackets_operators_and_bodies() {
        let deep = |piece: &str, n: usize| format!("select {}", piece.repeat(n));
        let closed = deep("(", MAX_BRACKETS) + &")".repeat(MAX_BRACKETS);
        assert_eq!(check_nesting(&closed), Ok(()));
        let unclosed = check_nesting(&deep("(", MAX_BRACKETS));
        assert_eq!(unclosed, Err(TooDeep { offset: 7, unclosed: true }));
        assert!(check_nesting(&deep("(", MAX_BRACKETS + 1)).is_err());
        let sad = format!("select '{}'", ":( ".repeat(7_000));
        assert_eq!(check_nesting(&sad), Ok(()), "a string is data");
        assert!(check_nesting(&deep("not ", MAX_PILE + 1)).is_err());
        assert!(check_nesting(&format!("do $x$ {} $x$", deep("(", MAX_BRACKETS + 1))).is_err());
        assert_eq!(check_nesting(&deep("1, ", 200_000)), Ok(()));
        assert_eq!(check_nesting(&deep("(1), ", 200_000)), Ok(()));
        assert_eq!(check_nesting(&deep("1; ", 200_000)), Ok(()));
    }
}
