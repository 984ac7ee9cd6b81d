//! The checksum `migraph-tokens-1`: SHA-256 over a script's tokens.
//!
//! Each token that is neither blank nor comment adds a tag (one byte), its
//! length in bytes (eight, little-endian) and its text. Unquoted words are
//! lower-cased in ASCII, as PostgreSQL folds them; all else counts as it stands.
//! Two things that blanks decide are kept in the tag: an operator character that
//! touches the one before it (`@-` is one operator, `@ -` two), and a string that
//! continues the one before it over a line break.

use sha2::{Digest, Sha256};

use crate::model::Checksum;
use crate::syntax::{Token, TokenKind};

/// The checksum of `tokens`, which are a part of `text`'s.
pub(super) fn of_tokens(text: &str, tokens: &[Token]) -> Checksum {
    let mut hash = Sha256::new();
    let mut gap = Gap::default();
    let mut before = None;
    for token in tokens {
        if !token.kind.is_significant() {
            gap.add(token.text(text));
            continue;
        }
        let body = token.text(text);
        hash.update([tag(token.kind, before, gap)]);
        hash.update((body.len() as u64).to_le_bytes());
        if token.kind == TokenKind::Word {
            hash.update(body.to_ascii_lowercase());
        } else {
            hash.update(body);
        }
        before = Some(token.kind);
        gap = Gap::default();
    }
    Checksum::new(hash.finalize().into())
}

/// What stands between two significant tokens.
#[derive(Clone, Copy, Default)]
struct Gap {
    any: bool,
    line_break: bool,
}

impl Gap {
    fn add(&mut self, text: &str) {
        self.any = true;
        self.line_break |= text.contains('\n');
    }
}

fn tag(kind: TokenKind, before: Option<TokenKind>, gap: Gap) -> u8 {
    use TokenKind as K;
    let is_string = |kind| matches!(kind, K::Str | K::EscapeStr | K::OtherStr);
    let continues = gap.line_break && before.is_some_and(is_string);
    match kind {
        K::Word => 1,
        K::QuotedWord => 2,
        K::Number => 3,
        K::Str => 4 + u8::from(continues),
        K::EscapeStr => 6 + u8::from(continues),
        K::OtherStr => 8,
        K::DollarStr => 9,
        K::Parameter => 10,
        K::Operator => 11 + u8::from(before == Some(K::Operator) && !gap.any),
        K::Dot => 13,
        K::Comma => 14,
        K::Semicolon => 15,
        K::Open => 16,
        K::Close => 17,
        K::CopyData => 18,
        K::Backslash | K::Unknown => 19,
        K::LineComment | K::BlockComment | K::Blank => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::lex;

    fn sum(text: &str) -> String {
        of_tokens(text, &lex(text).tokens).to_hex()
    }

    #[test]
    fn the_algorithm_never_changes() {
        // Computed once by an independent implementation (docs/design/checksums.md).
        let vectors = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("select 1", "337234906c63e314ef8b9ed506b45be8338488c00f2d532d44c67ac0b4505d11"),
            (
                "SELECT  1 -- one\n",
                "337234906c63e314ef8b9ed506b45be8338488c00f2d532d44c67ac0b4505d11",
            ),
            ("select 1;", "f04412a9b28d70a77ccd72583f889bde46c496557efd8a1835c129f497c766f6"),
            (
                "create table \"T\" (A int, b numeric(10, 2) default 1.5);",
                "b8f2acb672e2806eeafe0328bd997cf31896a936735614f3aa7825e3a24bd626",
            ),
            (
                "select a @- b, a @ - b, a::text",
                "5e17af62caf4ac4368f546e012b20fa4d52bd10ee1430174dc035a20bcc66ef0",
            ),
            (
                "select 'it''s', 'a'\n  'b', 'a' 'b'",
                "a7e48384198b31937ab610ec7ba22739a4efbcdfba148a85c0ea874a87787222",
            ),
            (
                "select E'a\\'b'\n'c\\'d', B'01', U&'\\0041'",
                "ed13f46cc23756a6bfdc215d2378cd78929d6e1d0638629c0c7d7e07ad869f90",
            ),
            (
                "do $x$ begin -- counts\n end $x$; /* not /* this */ */",
                "59885c305bc57caf42a6d198a4902c9247cb726463fdc1d9ce6b51df33b33bbf",
            ),
            (
                "select $1, x[1], 'é', Ünï",
                "281916dc5b142dd8a0573f87320a7ad7a5c808ed6c89f0c4f35eb3e5ad3199b2",
            ),
        ];
        for (text, expected) in vectors {
            assert_eq!(sum(text), expected, "{text}");
        }
    }

    #[test]
    fn layout_comments_and_case_do_not_count() {
        let same = [
            ("create table T (a int);", "CREATE  TABLE t(\n\ta INT -- remark\n)/* x */;"),
            ("select 1", "\n\nselect 1\n-- end"),
        ];
        for (a, b) in same {
            assert_eq!(sum(a), sum(b), "{a} | {b}");
        }
        let different = [
            ("select \"A\"", "select \"a\""),
            ("select 'a  b'", "select 'a b'"),
            ("select $$ -- x\n$$", "select $$ $$"),
            ("select 1 @- 2", "select 1 @ - 2"),
            ("select 'a'\n'b'", "select 'a' 'b'"),
            ("select ab", "select a b"),
            ("select 1;", "select 1"),
            ("select 'a'", "select E'a'"),
        ];
        for (a, b) in different {
            assert_ne!(sum(a), sum(b), "{a} | {b}");
        }
    }
}
