//! The leading words of a statement.

use super::statements::StatementTokens;
use super::token::{Token, TokenKind, lex};
use crate::model::Span;

/// As many tokens as any decision looks at, a table's name and options included.
const LOOK_AHEAD: usize = 64;

/// The words of `text` in lower case. What stands in quotes or in a comment is none.
pub fn words(text: &str) -> Vec<String> {
    let tokens = lex(text).tokens;
    let words = tokens.iter().filter(|token| token.kind == TokenKind::Word);
    words.map(|token| token.text(text).to_ascii_lowercase()).collect()
}

/// The first tokens of a statement, words in lower case, anything else as it is.
pub(super) struct Words {
    pub(super) texts: Vec<String>,
    tokens: Vec<Token>,
}

impl Words {
    pub(super) fn of(statement: StatementTokens<'_>) -> Self {
        let tokens: Vec<_> = statement.significant().take(LOOK_AHEAD).collect();
        let text = |token: &Token| match token.kind {
            TokenKind::Word => token.text(statement.source()).to_ascii_lowercase(),
            // A quoted name is never a keyword: keep its quotes. The longest one has
            // 63 bytes, each perhaps a doubled quote.
            _ => token.text(statement.source()).chars().take(128).collect(),
        };
        Self { texts: tokens.iter().map(text).collect(), tokens }
    }

    /// The word at `at`, or nothing.
    pub(super) fn get(&self, at: usize) -> &str {
        self.texts.get(at).map_or("", String::as_str)
    }

    pub(super) fn contains(&self, word: &str) -> bool {
        self.texts.iter().any(|text| text == word)
    }

    /// Where the tokens from `from` on stand; empty when there are none.
    pub(super) fn span_from(&self, from: usize) -> Span {
        match (self.tokens.get(from), self.tokens.last()) {
            (Some(first), Some(last)) => Span::new(first.span().start, last.span().end),
            _ => Span::default(),
        }
    }

    /// True when the words at `at` are these.
    pub(super) fn are(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(index, word)| self.get(at + index) == *word)
    }

    /// The name at `at`, perhaps qualified, as it is written, and where the words
    /// behind it begin. `None` for anything else, `U&"…"` included.
    pub(super) fn name(&self, at: usize) -> Option<(String, usize)> {
        let mut name = self.part(at)?.to_owned();
        let mut behind = at + 1;
        while self.get(behind) == "." {
            name = format!("{name}.{}", self.part(behind + 1)?);
            behind += 2;
        }
        Some((name, behind))
    }

    fn part(&self, at: usize) -> Option<&str> {
        let part = self.texts.get(at)?;
        let is_word = self.tokens.get(at).is_some_and(|token| token.kind == TokenKind::Word);
        (is_word || part.starts_with('"')).then_some(part)
    }
}

/// A name's part as PostgreSQL stores it.
pub(super) fn unquoted(part: &str) -> String {
    match part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => part.to_owned(),
    }
}
