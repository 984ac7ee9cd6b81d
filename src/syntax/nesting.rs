//! A bound on how deeply the parser can be made to recurse.

use super::token::{TokenKind, lex};

/// Brackets that may be open at once.
pub(super) const MAX_BRACKETS: usize = 20_000;

/// Tokens that may pile up without a comma or semicolon between them, summed
/// over all open brackets: prefix and binary operators nest without any bracket
/// (`NOT NOT NOT …`, `1+1+1…`). Measured: 100,000 such levels fit the 64 MB
/// stack of [`super::on_large_stack`], but take the parser half a minute.
const MAX_PILE: usize = 50_000;

/// Why a text is not given to the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooDeep {
    /// Where the limit was passed.
    pub(super) offset: usize,
}

/// Checks `text`, the bodies in its strings included, because the parser reads
/// function bodies too.
pub(super) fn check_nesting(text: &str) -> Result<(), TooDeep> {
    // A text with fewer bytes than the lower limit cannot pass it.
    if text.len() <= MAX_BRACKETS {
        return Ok(());
    }
    let mut piles = vec![0_usize];
    let mut total = 0_usize;
    for token in lex(text).tokens {
        let offset = token.span().start;
        match token.kind {
            TokenKind::Open => piles.push(0),
            TokenKind::Close if piles.len() > 1 => total -= piles.pop().unwrap_or(0),
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
            return Err(TooDeep { offset });
        }
    }
    Ok(())
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
    inner.map_or(Ok(()), check_nesting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded_in_brackets_operators_and_bodies() {
        let deep = |piece: &str, n: usize| format!("select {}", piece.repeat(n));
        assert_eq!(check_nesting(&deep("(", MAX_BRACKETS)), Ok(()));
        assert!(check_nesting(&deep("(", MAX_BRACKETS + 1)).is_err());
        assert!(check_nesting(&deep("not ", MAX_PILE + 1)).is_err());
        assert!(check_nesting(&format!("do $x$ {} $x$", deep("(", MAX_BRACKETS + 1))).is_err());
        assert_eq!(check_nesting(&deep("1, ", 200_000)), Ok(()));
        assert_eq!(check_nesting(&deep("(1), ", 200_000)), Ok(()));
        assert_eq!(check_nesting(&deep("1; ", 200_000)), Ok(()));
    }
}
