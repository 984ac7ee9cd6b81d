//! Templates in SQL: text that some tool replaces before the server sees it.

use std::borrow::Cow;

use crate::model::{Source, Span};
use crate::syntax::{TokenKind, lex};

/// Values for the simple ones, from `--define NAME=VALUE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defines(Vec<(String, String)>);

impl Defines {
    /// Names with their values.
    pub fn new(all: Vec<(String, String)>) -> Self {
        Self(all)
    }

    /// The text with every placeholder replaced that names one of them: `${NAME}`,
    /// `{{ NAME }}`, `{{ .NAME }}` and `{{ index .Anything "NAME" }}`.
    pub(super) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, placeholder, behind)) = next(rest) {
            out.push_str(before);
            out.push_str(self.value(placeholder).unwrap_or(placeholder));
            rest = behind;
        }
        Cow::Owned(out + rest)
    }

    fn value(&self, placeholder: &str) -> Option<&str> {
        let inner = placeholder.trim_matches(['{', '}', '$']).trim_matches('-').trim();
        let quoted = inner.starts_with("index ").then(|| inner.split('"').nth(1)).flatten();
        let name = quoted.unwrap_or_else(|| inner.strip_prefix('.').unwrap_or(inner));
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What stands before the next placeholder, the placeholder, and what stands behind.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let braces = text.find("{{").map(|at| (at, "}}"));
    // `$${` is the end of a dollar quote's tag and a brace.
    let dollar = text.match_indices("${").find(|(at, _)| !text[..*at].ends_with('$'));
    let dollar = dollar.map(|(at, _)| (at, "}"));
    let (start, close) = [braces, dollar].into_iter().flatten().min()?;
    match text[start + 2..].find(close) {
        Some(length) => {
            let end = start + 2 + length + close.len();
            Some((&text[..start], &text[start..end], &text[end..]))
        }
        None => Some((&text[..start + 2], "", &text[start + 2..])),
    }
}

/// A placeholder, and whether it stands in a string: there it may be data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placeholder {
    pub(super) span: Span,
    pub(super) in_string: bool,
}

/// The actions of Go's text/template (<https://pkg.go.dev/text/template>) that are in
/// no comment. What only looks similar, such as `{{name}}` in a text that is stored,
/// is none.
pub(super) fn go_actions(source: &Source) -> Vec<Placeholder> {
    let heads =
        [".", "$", "index ", "if ", "else", "end", "range ", "with ", "template ", "define "];
    let is_action = |inner: &str| {
        let inner = inner.trim_start_matches('-').trim_start();
        heads.iter().any(|head| inner.starts_with(head))
    };
    outside_comments(source, "{{", "}}", is_action)
}

/// The first `${name}` that is in no comment; not the `$${` of a dollar quote. In a
/// string too: only a tool that puts values in asks, and it does so everywhere.
pub(super) fn dollar_placeholder(source: &Source) -> Option<Span> {
    let is_name = |inner: &str| {
        !inner.is_empty() && inner.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c))
    };
    outside_comments(source, "${", "}", is_name).first().map(|it| it.span)
}

/// The first `$NAME` or `${NAME}`, as the shell and goose's ENVSUB have them.
pub(super) fn shell_variable(source: &Source, within: Span) -> Option<Span> {
    let text = source.slice(within);
    let begins = |at: usize| {
        let rest = &text[at + 1..];
        let name = rest.strip_prefix('{').unwrap_or(rest);
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    };
    let found = text.match_indices('$').map(|(at, _)| at).find(|at| begins(*at))?;
    let start = within.start + found;
    let length = source.slice(Span::new(start, within.end)).find(char::is_whitespace);
    Some(Span::new(start, length.map_or(within.end, |length| start + length)))
}

/// True when `text` holds what looks like a placeholder of any kind.
pub(super) fn looks_like_template(text: &str) -> bool {
    ["{{", "${", "{%", "<%", "{#"].iter().any(|mark| text.contains(mark))
}

fn outside_comments(
    source: &Source,
    open: &str,
    close: &str,
    is_one: impl Fn(&str) -> bool,
) -> Vec<Placeholder> {
    let text = source.text();
    let span = |at: usize| {
        let rest = &text[at + open.len()..];
        let length = rest.find(close).filter(|length| is_one(rest[..*length].trim()))?;
        Some(Span::new(at, at + open.len() + length + close.len()))
    };
    let starts = text.match_indices(open).map(|(at, _)| at);
    let found: Vec<_> = starts.filter(|at| !text[..*at].ends_with('$')).filter_map(span).collect();
    if found.is_empty() {
        return vec![];
    }
    let tokens = lex(text).tokens;
    let one = |span: Span| {
        let holder = tokens.partition_point(|token| token.span().end <= span.start);
        let kind = tokens.get(holder).map(|token| token.kind);
        let in_comment = matches!(kind, Some(TokenKind::LineComment | TokenKind::BlockComment));
        (!in_comment).then(|| Placeholder { span, in_string: kind.is_some_and(is_string) })
    };
    found.into_iter().filter_map(one).collect()
}

/// What holds text of the migration's own.
fn is_string(kind: TokenKind) -> bool {
    use TokenKind::{CopyData, DollarStr, EscapeStr, OtherStr, Str};
    matches!(kind, Str | EscapeStr | OtherStr | DollarStr | CopyData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_defined_is_replaced_and_nothing_else() {
        let pairs = [("ns", "auth"), ("t", "users")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let defines = Defines::new(pairs.to_vec());
        let cases = [
            ("{{ index .Options \"ns\" }}.{{.t}}", "auth.users"),
            ("${ns}.${other} {{ t }} {{- t -}}", "auth.${other} users users"),
            ("{{ if .ns }}", "{{ if .ns }}"),
            ("'{{' ${ns", "'{{' ${ns"),
            ("$${ns}$$ é", "$${ns}$$ é"),
        ];
        for (text, expected) in cases {
            assert_eq!(defines.apply(text), expected, "{text}");
        }
    }

    #[test]
    fn templates_are_found_where_they_count() {
        let go = |text: &str| {
            let source = Source::new("a.sql", text);
            let shown = |it: &Placeholder| {
                let place = if it.in_string { "string " } else { "" };
                format!("{place}{}", source.slice(it.span))
            };
            go_actions(&source).iter().map(shown).collect::<Vec<_>>().join("; ")
        };
        let cases = [
            ("'{{ index .O \"x\" }}'", "string {{ index .O \"x\" }}"),
            ("a\n{{- if .x }}", "{{- if .x }}"),
            ("E'{{.a}}' {{.b}} $x$ {{.c}} $x$", "string {{.a}}; {{.b}}; string {{.c}}"),
            ("copy t from stdin;\n{{.a}}\n\\.\n{{.b}}", "string {{.a}}; {{.b}}"),
            ("\"{{.a}}\"", "{{.a}}"),
        ];
        for (text, expected) in cases {
            assert_eq!(go(text), expected, "{text}");
        }
        let none = [
            "'{{name}}'",
            "-- {{ .x }}",
            "a; -- {{ .x }}",
            "/*\n{{.x}}*/",
            "{{",
            "'{\"a\":{\"b\":1}}'",
        ];
        for none in none {
            assert_eq!(go(none), "", "{none}");
        }
        let dollar = |text: &str| {
            let source = Source::new("a.sql", text);
            dollar_placeholder(&source).map(|at| source.slice(at).to_owned())
        };
        assert_eq!(dollar("a ${flyway:user} b").as_deref(), Some("${flyway:user}"));
        assert_eq!(dollar("'${a}'").as_deref(), Some("${a}"));
        for none in ["-- ${a}", "a; /* ${a} */", "$${a}$$", "${", "${}", "'${a b}'"] {
            assert_eq!(dollar(none), None, "{none}");
        }
    }
}
