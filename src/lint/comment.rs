//! `-- migraph-ignore: rule: reason`, and squawk's `-- squawk-ignore rule -- reason`.

use crate::model::Span;
use crate::syntax::{Token, TokenKind, lex};

/// A comment that is to silence something; what it names may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment<'a> {
    /// Where it stands.
    pub(super) span: Span,
    /// True for `squawk-ignore`.
    pub(super) squawks: bool,
    /// What stands between `ignore` and the rules: `-file`, or nothing.
    pub(super) form: &'a str,
    /// The rules that it names, each with its place.
    pub(super) names: Vec<(&'a str, Span)>,
    /// Why.
    pub(super) reason: &'a str,
}

/// The comments in `text` that begin with `migraph-ignore` or `squawk-ignore`. What
/// looks like one inside a string, a body or copied rows is none.
pub(super) fn comments(text: &str) -> Vec<Comment<'_>> {
    // Most files have none, and are not cut into tokens again.
    if !text.contains("migraph-ignore") && !text.contains("squawk-ignore") {
        return vec![];
    }
    lex(text).tokens.into_iter().filter_map(|token| read(text, token)).collect()
}

fn read(text: &str, token: Token) -> Option<Comment<'_>> {
    let whole = token.text(text);
    let body = match token.kind {
        TokenKind::LineComment => whole.strip_prefix("--")?,
        TokenKind::BlockComment => whole.strip_prefix("/*")?.strip_suffix("*/")?,
        _ => return None,
    };
    let body = body.trim();
    let (squawks, rest) = match body.strip_prefix("migraph-ignore") {
        Some(rest) => (false, rest),
        None => (true, body.strip_prefix("squawk-ignore")?),
    };
    let end = rest.find(|c: char| c == ':' || c.is_whitespace()).unwrap_or(rest.len());
    let (form, rest) = rest.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let end = [":", "--"].iter().filter_map(|it| rest.find(it)).min().unwrap_or(rest.len());
    let (list, reason) = rest.split_at(end);
    let place = |name: &str| {
        let start = name.as_ptr() as usize - text.as_ptr() as usize;
        Span::new(start, start + name.len())
    };
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    Some(Comment {
        span: token.span(),
        squawks,
        form,
        names: names.map(|name| (name, place(name))).collect(),
        reason: reason.trim_start_matches([':', '-']).trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let shown = |one: &Comment<'_>| {
            let names: Vec<_> = one.names.iter().map(|(name, _)| *name).collect();
            assert!(one.names.iter().all(|(name, at)| &text[at.start..at.end] == *name));
            format!("{}|{}|{}|{}", one.squawks, one.form, names.join(","), one.reason)
        };
        comments(text).iter().map(shown).collect::<Vec<_>>().join(" ; ")
    }

    #[test]
    fn rules_and_reason_are_told_apart() {
        let cases = [
            ("-- migraph-ignore: a-b, c: why: so", "false||a-b,c|why: so"),
            ("--migraph-ignore a-b,c -- why", "false||a-b,c|why"),
            ("/* migraph-ignore: a:\n why */", "false||a|why"),
            ("-- migraph-ignore-file: a", "false|-file|a|"),
            ("-- migraph-ignore", "false|||"),
            ("-- migraph-ignore:: why", "false|||why"),
            ("-- migraph-ignored: a: b", "false|d|a|b"),
            ("-- squawk-ignore a,b", "true||a,b|"),
            ("-- squawk-ignore-file", "true|-file||"),
            ("-- see migraph-ignore: a: b", ""),
            ("SELECT '-- migraph-ignore: a: b'", ""),
            ("SELECT $$\n-- migraph-ignore: a: b\n$$", ""),
            ("COPY t FROM stdin;\n-- migraph-ignore: a: b\n\\.\n", ""),
            ("-- é\n-- migraph-ignore: a: b", "false||a|b"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
