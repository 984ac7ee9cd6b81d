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
    let mut folded = String::new();
    for token in tokens {
        if !token.kind.is_significant() {
            gap.add(token.text(text));
            continue;
        }
        let body = token.text(text);
        hash.update([tag(token.kind, before, gap)]);
        hash.update((body.len() as u64).to_le_bytes());
        if token.kind == TokenKind::Word {
            folded.clear();
            folded.push_str(body);
            folded.make_ascii_lowercase();
            hash.update(&folded);
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
        K::LineComment | K::BlockComment | K::Blank | K::Restrict => 0,
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
        // Computed once by an independent implementation, in Python, from tokens that
        // were cut by hand.
        let vectors = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("SELECT 1;", "f04412a9b28d70a77ccd72583f889bde46c496557efd8a1835c129f497c766f6"),
            (
                "-- remark\nselect /* x */ 1 ;\n",
                "f04412a9b28d70a77ccd72583f889bde46c496557efd8a1835c129f497c766f6",
            ),
            (
                "CREATE TABLE \"Größe\" (Id int, t.é text[]);",
                "2ca97fc5b26e9e22372b67fe4d657a97a53ef9de21a43de29baf89e343517007",
            ),
            (
                "select 'a'\n'b' 'c'",
                "76dd8f8f8f433ac516b02033212052207914ce0f8949615ca349bb2ba5d18017",
            ),
            (
                "select E'a\\''\n'b\\n', B'01'",
                "82fd6b1674af716cdb340ac0cb16e6c6141783cc4eead25d210503d9d11715dd",
            ),
            (
                "select a @- $1 + -2.5e3",
                "47c3eed10bb5428ee8d0458961c3e3d78075f5dd9ebc299cab6056fffe54df6a",
            ),
            (
                "do $x$ -- kept\n$x$;",
                "0e394e20fc5dba0de3f756cf0fef3b89b6f2294a3484a9579f1dd6bc087d532c",
            ),
            (
                "copy t from stdin;\nIt's\n\\.\n",
                "7b9084414c5f6d25e6bd935abd21e4720983a7e2901dd92c4454753c0678f9ac",
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
            ("\\restrict a\nselect 1;\n\\unrestrict a", "select 1;"),
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
