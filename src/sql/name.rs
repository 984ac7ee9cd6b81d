//! Names as PostgreSQL compares them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Span;

/// `NAMEDATALEN - 1`: longer names are cut, in silence, by the server
/// (<https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>).
const MAX_NAME_BYTES: usize = 63;

/// A name in the form in which the catalogue stores it: folded unless it was
/// quoted, and never longer than the server keeps.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ident(Arc<str>);

impl Ident {
    /// The name that is stored as `text`.
    pub fn new(text: &str) -> Self {
        Self(cut(text, MAX_NAME_BYTES).into())
    }

    /// The name that is written as `text` in SQL, with or without quotes.
    pub fn written(text: &str) -> Self {
        match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(inside) => Self::new(&inside.replace("\"\"", "\"")),
            None => Self::new(&text.to_ascii_lowercase()),
        }
    }

    /// As the catalogue has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `text` without what is behind `bytes`, whole characters only
/// (`pg_mbcliplen`).
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A name in a statement, perhaps with a schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QName {
    /// The schema, when one is written.
    pub schema: Option<Ident>,
    /// The name within it.
    pub name: Ident,
    /// Where it stands in the text that was read.
    pub span: Span,
}

impl QName {
    /// True for what the server itself provides.
    pub fn is_system(&self) -> bool {
        match &self.schema {
            Some(schema) => matches!(schema.as_str(), "pg_catalog" | "information_schema"),
            None => self.name.as_str().starts_with("pg_"),
        }
    }

    /// From its written parts, of which the last two count: a database's name may
    /// stand before them.
    pub(super) fn from_parts(parts: &[Ident], span: Span) -> Option<Self> {
        let (name, before) = parts.split_last()?;
        Some(Self { schema: before.last().cloned(), name: name.clone(), span })
    }

    /// The same schema and place with another name.
    #[must_use]
    pub fn renamed(&self, name: &Ident) -> Self {
        Self { schema: self.schema.clone(), name: name.clone(), span: self.span }
    }
}

/// Words that are no name unless they are quoted: reserved ones, and those that only
/// name types and functions
/// (<https://www.postgresql.org/docs/current/sql-keywords-appendix.html>).
const RESERVED: &str = " all analyse analyze and any array as asc asymmetric both case cast check \
    collate column constraint create current_catalog current_date current_role current_time \
    current_timestamp current_user default deferrable desc distinct do else end except false fetch \
    for foreign from grant group having in initially intersect into lateral leading limit \
    localtime localtimestamp not null offset on only or order placing primary references \
    returning select session_user some symmetric system_user table then to trailing true union \
    unique user using variadic when where window with authorization binary collation \
    concurrently cross current_schema freeze full ilike inner is isnull join left like natural \
    notnull outer overlaps right similar tablesample verbose ";

/// The name as `quote_ident` writes it, so that more may be written right behind it:
/// `%I_idx`.
pub(super) fn quoted_if_needed(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = !name.starts_with(|c: char| c.is_ascii_digit());
    let safe = !name.is_empty() && starts && name.chars().all(plain);
    if safe && !RESERVED.contains(&format!(" {name} ")) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The name that PostgreSQL gives to what has none: the parts joined by `_`, the
/// longer of the first two cut until all fit (`makeObjectName` in
/// `src/backend/commands/indexcmds.c`).
pub(super) fn generated_name(first: &str, second: Option<&str>, label: &str) -> Ident {
    let overhead = label.len() + 1 + usize::from(second.is_some());
    let available = MAX_NAME_BYTES.saturating_sub(overhead);
    let (mut one, mut two) = (first.len(), second.map_or(0, str::len));
    while one + two > available {
        if one > two { one -= 1 } else { two -= 1 }
    }
    let first = cut(first, one);
    match second {
        Some(second) => Ident::new(&format!("{first}_{}_{label}", cut(second, two))),
        None => Ident::new(&format!("{first}_{label}")),
    }
}

/// `t_a_key2`: a name that was made up, with a number where the plain one is taken. There
/// is a different one for each number. The server cuts the longer of the first two parts
/// to make room; here it is what stands before the label.
pub(super) fn numbered(generated: &Ident, number: u32) -> Ident {
    if number == 0 {
        return generated.clone();
    }
    let (parts, label) = generated.as_str().rsplit_once('_').unwrap_or(("", generated.as_str()));
    let end = format!("_{label}{number}");
    Ident::new(&format!("{}{end}", cut(parts, MAX_NAME_BYTES.saturating_sub(end.len()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_find_room_behind_long_names() {
        assert_eq!(numbered(&Ident::new("t_a_key"), 0).as_str(), "t_a_key");
        assert_eq!(numbered(&Ident::new("t_a_key"), 12).as_str(), "t_a_key12");
        let long = generated_name(&"t".repeat(40), Some(&"a".repeat(40)), "idx");
        let names: Vec<_> = (0..12).map(|number| numbered(&long, number)).collect();
        assert!(names.iter().all(|name| name.as_str().len() <= MAX_NAME_BYTES));
        assert!(names[11].as_str().ends_with("a_idx11"), "{}", names[11]);
    }

    #[test]
    fn names_are_folded_unless_quoted_and_cut() {
        let long = "x".repeat(70);
        let cases = [
            ("Users", "users".to_owned()),
            ("\"Users\"", "Users".to_owned()),
            ("\"a\"\"b\"", "a\"b".to_owned()),
            ("ÄB", "Äb".to_owned()),
            (&long, "x".repeat(63)),
        ];
        for (written, stored) in cases {
            assert_eq!(Ident::written(written).as_str(), stored, "{written}");
        }
    }

    /// `SELECT quote_ident(…)` of PostgreSQL 15.
    #[test]
    fn a_name_is_quoted_as_the_server_quotes_it() {
        let cases = [
            ("users", "users"),
            ("_a1", "_a1"),
            ("user", "\"user\""),
            ("verbose", "\"verbose\""),
            ("name", "name"),
            ("1a", "\"1a\""),
            ("Users", "\"Users\""),
            ("a\"b", "\"a\"\"b\""),
            ("", "\"\""),
        ];
        for (name, written) in cases {
            assert_eq!(quoted_if_needed(name), written);
        }
    }

    /// Made by PostgreSQL 15: `CREATE TABLE <a x 40> (<b x 40> int UNIQUE)`.
    #[test]
    fn a_generated_name_is_cut_as_the_server_cuts_it() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let expected = format!("{}_{}_key", "a".repeat(29), "b".repeat(29));
        assert_eq!(generated_name(&a, Some(&b), "key").as_str(), expected);
        assert_eq!(generated_name("t", None, "pkey").as_str(), "t_pkey");
    }
}
