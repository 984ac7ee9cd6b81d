//! A bound on how deeply the parser can be made to recurse.

use super::token::{TokenKind, lex};

/// Brackets that may be open at once.
pub(super) const MAX_BRACKETS: usize = 20_000;

/// Tokens that may pile up without a comma or semicolon between them, summed
/// over all open brackets: prefix and binary operators nest without any bracket
/// (`NOT NOT NOT …`, `1+1+1…`). Measured: 100,000 such levels fit the 64 MB
/// stack of [`super::on_large_stack`], but take the parser half a minute.
const MAX_PILE: usize = 50_000;

/// Brackets without an end that the parser may be given, and how deep brackets may be
/// where one has none. It tries each around that one anew: 20,000 without an end keep
/// it busy for a minute, 20,000 of which one has none for ten seconds.
const MAX_UNCLOSED: usize = 200;

/// How many brackets without an end a text may have whose brackets are so deep.
type Unclosed = fn(usize) -> usize;

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
    // All brackets of valid SQL have an end, so this refuses none.
    check_text(text, |deepest| if deepest > MAX_UNCLOSED { 0 } else { MAX_UNCLOSED })
}

fn check_text(text: &str, max_unclosed: Unclosed) -> Result<(), TooDeep> {
    // Neither a short text nor one with few brackets can pass a limit.
    if text.len() <= MAX_BRACKETS && !has_many_brackets(text) {
        return Ok(());
    }
    let mut deepest = 0;
    let mut piles = vec![0_usize];
    let mut open = Vec::new();
    let mut total = 0_usize;
    for token in lex(text).tokens {
        let offset = token.span().start;
        match token.kind {
            TokenKind::Open => {
                piles.push(0);
                open.push(offset);
                deepest = deepest.max(open.len());
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
        Some(offset) if open.len() > max_unclosed(deepest) => {
            Err(TooDeep { offset: *offset, unclosed: true })
        }
        _ => Ok(()),
    }
}

/// Much less work than to cut the text, and false for most.
fn has_many_brackets(text: &str) -> bool {
    let is_open = |byte: &&u8| matches!(byte, b'(' | b'[' | b'{');
    text.as_bytes().iter().filter(is_open).count() > MAX_UNCLOSED
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
    let max_unclosed: Unclosed =
        if literal.starts_with('$') { |_| 10 * MAX_UNCLOSED } else { |_| usize::MAX };
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

    #[test]
    fn where_brackets_are_deep_each_must_have_an_end() {
        let nested = |open: usize, close: usize| "(".repeat(open) + "1" + &")".repeat(close);
        let deep = MAX_UNCLOSED + 1;
        let check = |text: &str| check_nesting(text);
        let unclosed = |offset| Err(TooDeep { offset, unclosed: true });
        assert_eq!(check(&nested(deep, deep - 1)), unclosed(0));
        assert_eq!(check(&nested(deep - 1, deep - 2)), Ok(()), "the parser says more");
        assert_eq!(check(&format!("f(1; {};", nested(deep, deep))), unclosed(1));
        let valid = format!("{} /* ( */, '(', $$ ( $$, \"(\" -- (", nested(deep, deep));
        assert_eq!(check(&valid), Ok(()), "no bracket of the SQL's own");
        let rows = format!("copy t from stdin;\n(\n\\.\nselect {}", nested(deep, deep));
        assert_eq!(check(&rows), Ok(()), "nor is one in data");
    }
}
