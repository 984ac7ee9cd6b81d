//! The header: the `-- @key: value` lines of the leading comment block.

use std::collections::HashMap;
use std::sync::Arc;

use super::Declaration;
use super::value::{self, Expected};
use crate::model::{
    Code, Dependency, Diagnostic, Header, Impact, MigrationId, Place, Severity, Source, Span,
    TransactionMode,
};
use crate::suggest::nearest;

/// Every key there is, as it is written.
const KEYS: [&str; 10] = [
    "name",
    "description",
    "timestamp",
    "rollbackSafe",
    "performanceImpact",
    "dependencies",
    "transaction",
    "lockTimeout",
    "statementTimeout",
    "exclusiveWith",
];

/// Reads the header from the line comments at `lines`.
pub(super) fn parse(
    source: &Arc<Source>,
    lines: &[Span],
    note: &mut dyn FnMut(Diagnostic),
) -> (Header, Declaration) {
    let end = lines.last().map_or(0, |line| line.end);
    let (header, seen, misspelt) = (Header::default(), HashMap::new(), Vec::new());
    let mut reader = Reader { source, end, header, seen, misspelt, note };
    let mut read_to = 0;
    // A list may have taken the following lines with it.
    for line in lines {
        if line.start >= read_to {
            read_to = reader.line(*line);
        }
    }
    let declaration = reader.declaration();
    (reader.header, declaration)
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    /// Where the last comment of the header ends.
    end: usize,
    header: Header,
    /// Where each known key was first seen.
    seen: HashMap<&'static str, Span>,
    /// Unknown keys that were probably meant to be `@dependencies`.
    misspelt: Vec<Diagnostic>,
    note: &'a mut dyn FnMut(Diagnostic),
}

impl<'a> Reader<'a> {
    /// Reads the entry that begins at `line`; returns where it ends.
    fn line(&mut self, line: Span) -> usize {
        let input = self.source.slice(Span::new(line.start, self.end));
        if let Ok((rest, written)) = value::key(input) {
            return self.entry(line, written, rest);
        }
        if let Ok((rest, written)) = value::old_key(input) {
            self.old_entry(written, rest);
        }
        line.end
    }

    /// What the whole header says about dependencies. A misspelt key is as bad as
    /// a missing one, and is the better message.
    fn declaration(&mut self) -> Declaration {
        let listed = self.seen.contains_key("dependencies");
        let misspelt = std::mem::take(&mut self.misspelt);
        let declaration = match () {
            () if listed => Declaration::Listed,
            () if !misspelt.is_empty() => Declaration::Unknown,
            () if self.seen.is_empty() => Declaration::NoHeader,
            () => Declaration::Missing,
        };
        let severity = if listed { Severity::Warning } else { Severity::Error };
        misspelt
            .into_iter()
            .map(|problem| Diagnostic { severity, ..problem })
            .for_each(&mut *self.note);
        declaration
    }

    /// The place of a part of the header's text.
    fn span_of(&self, part: &str, rest: &str) -> Span {
        let start = self.end - rest.len() - part.len();
        Span::new(start, start + part.len())
    }

    fn entry(&mut self, line: Span, written: &'a str, rest: &'a str) -> usize {
        let span = self.span_of(written, rest);
        let Some(key) = KEYS.into_iter().find(|key| *key == written) else {
            self.unknown(written, span);
            return line.end;
        };
        if let Some(first) = self.seen.insert(key, span) {
            self.seen.insert(key, first);
            (self.note)(
                Diagnostic::error(Code::DuplicateKey, format!("`@{key}` is given twice"))
                    .at(Place::new(self.source, span, "the second"))
                    .also(Place::new(self.source, first, "the first"))
                    .help("keep one of the two"),
            );
            return line.end;
        }
        match value::colon(rest).and_then(|(rest, ())| self.value(key, rest)) {
            Ok((rest, ())) => {
                let end = self.end - rest.len();
                if key == "dependencies" {
                    self.header.dependencies_at = Some(Span::new(line.start, end));
                }
                end
            }
            Err(error) => {
                self.malformed(key, &error);
                line.end
            }
        }
    }

    /// Takes the value of `key` into the header.
    fn value(&mut self, key: &str, input: &'a str) -> value::Parsed<'a, ()> {
        let header = &mut self.header;
        let rest = match key {
            "name" => set_text(&mut header.name, input)?,
            "description" => set_text(&mut header.description, input)?,
            "timestamp" => set(&mut header.timestamp, value::timestamp(input)?),
            "rollbackSafe" => set(&mut header.rollback_safe, boolean(input)?),
            "performanceImpact" => put(&mut header.impact, impact(input)?),
            "transaction" => put(&mut header.transaction, transaction(input)?),
            "lockTimeout" => set(&mut header.lock_timeout, value::timeout(input)?),
            "statementTimeout" => set(&mut header.statement_timeout, value::timeout(input)?),
            list => {
                let (rest, items) = value::list(input)?;
                let items = items.into_iter().filter_map(|item| self.dependency(item)).collect();
                match list {
                    "exclusiveWith" => self.header.exclusive_with = items,
                    _ => self.header.dependencies = items,
                }
                rest
            }
        };
        Ok((rest, ()))
    }

    /// An item of a list; what is no id becomes a problem.
    fn dependency(&mut self, item: &'a str) -> Option<Dependency> {
        let start = item.as_ptr() as usize - self.source.text().as_ptr() as usize;
        let span = Span::new(start, start + item.len());
        match item.parse::<MigrationId>() {
            Ok(id) => Some(Dependency { id, span }),
            Err(error) => {
                (self.note)(
                    Diagnostic::error(Code::MalformedHeader, error.to_string())
                        .at(Place::new(self.source, span, "no id"))
                        .help("name the file's stem: `0001_users` for `0001_users.sql`"),
                );
                None
            }
        }
    }

    /// The form of older files; what cannot be read in it is only a remark.
    fn old_entry(&mut self, written: &str, rest: &'a str) {
        let Ok((_, found)) = value::text(rest) else { return };
        let header = &mut self.header;
        match written {
            "Migration" => header.name = header.name.take().or_else(|| Some(found.to_owned())),
            "Description" => {
                header.description = header.description.take().or_else(|| Some(found.to_owned()));
            }
            _ => header.timestamp = header.timestamp.or(value::timestamp(rest).ok().map(|it| it.1)),
        }
    }

    fn unknown(&mut self, written: &str, span: Span) {
        let problem = Diagnostic::warning(Code::UnknownKey, format!("unknown key `@{written}`"))
            .at(Place::new(self.source, span, "not a key of ours"));
        // Other tools say `depends`, `dependsOn`, `dependency`.
        let depends = written.to_ascii_lowercase().starts_with("depend");
        match nearest(written, KEYS).or(depends.then_some("dependencies")) {
            Some("dependencies") => {
                self.misspelt.push(problem.help("did you mean `@dependencies`?"));
            }
            Some(near) => (self.note)(problem.help(format!("did you mean `@{near}`?"))),
            None => {
                let keys = KEYS.map(|key| format!("`@{key}`")).join(", ");
                (self.note)(problem.help(format!("the keys are {keys}")));
            }
        }
    }

    fn malformed(&mut self, key: &str, error: &nom::Err<Expected<'_>>) {
        let (nom::Err::Error(expected) | nom::Err::Failure(expected)) = error else { return };
        let rest = expected.at;
        let start = self.end - rest.len();
        let line = rest.lines().next().unwrap_or_default();
        let word = line.split([' ', ',', ']']).next().unwrap_or_default();
        let span = Span::new(start, start + word.len());
        let problem = Diagnostic::error(Code::MalformedHeader, format!("`@{key}` cannot be read"))
            .at(Place::new(self.source, span, format!("expected {}", expected.what)));
        (self.note)(match expected.what {
            value::LIST_END if line.trim().is_empty() => {
                problem.help("each line of a list begins with `--`, and its last ends in `]`")
            }
            _ => problem,
        });
    }
}

fn set<'a, T>(target: &mut Option<T>, (rest, value): (&'a str, T)) -> &'a str {
    *target = Some(value);
    rest
}

fn put<'a, T>(target: &mut T, (rest, value): (&'a str, T)) -> &'a str {
    *target = value;
    rest
}

fn set_text<'a>(
    target: &mut Option<String>,
    input: &'a str,
) -> Result<&'a str, nom::Err<Expected<'a>>> {
    let (rest, text) = value::text(input)?;
    Ok(set(target, (rest, text.to_owned())))
}

fn boolean(input: &str) -> value::Parsed<'_, bool> {
    value::word("`true` or `false`", &[("true", true), ("false", false)])(input)
}

fn impact(input: &str) -> value::Parsed<'_, Impact> {
    const WORDS: &[(&str, Impact)] =
        &[("low", Impact::Low), ("medium", Impact::Medium), ("high", Impact::High)];
    value::word("`low`, `medium` or `high`", WORDS)(input)
}

fn transaction(input: &str) -> value::Parsed<'_, TransactionMode> {
    const WORDS: &[(&str, TransactionMode)] = &[
        ("auto", TransactionMode::Auto),
        ("always", TransactionMode::Always),
        ("never", TransactionMode::Never),
    ];
    value::word("`auto`, `always` or `never`", WORDS)(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::lex;

    /// What was read, and the problems as `line:column message`.
    fn read(text: &str) -> (Header, Declaration, Vec<String>) {
        let source = Arc::new(Source::new("a.sql", text));
        let lines: Vec<_> = lex(text)
            .tokens
            .iter()
            .filter(|token| token.text(text).starts_with("--"))
            .map(|token| token.span())
            .collect();
        let mut problems = Vec::new();
        let (header, declaration) = parse(&source, &lines, &mut |problem| {
            let at = problem.place.and_then(|place| place.location()).unwrap();
            problems.push(format!("{}:{} {}", at.line, at.column, problem.message));
        });
        (header, declaration, problems)
    }

    fn ids(list: &[Dependency]) -> Vec<&str> {
        list.iter().map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn every_key_is_read() {
        let (header, declaration, problems) = read(
            "-- @name: Add orders: the first part\n--@description:   with lines  \n-- @timestamp: 2024-01-01T00:00:00Z\n-- @rollbackSafe: true (really)\n-- @performanceImpact: low            (low | medium | high)\n-- @dependencies: [0001_users,\n--   \"0002_products\"]\n-- @transaction: never\n-- @lockTimeout: 5s\n-- @statementTimeout: 0\n-- @exclusiveWith: [x]\n-- no @key: at the beginning",
        );
        assert_eq!((declaration, problems), (Declaration::Listed, vec![]));
        assert_eq!(header.name.as_deref(), Some("Add orders: the first part"));
        assert_eq!(header.description.as_deref(), Some("with lines"));
        assert_eq!(header.timestamp.unwrap().to_string(), "2024-01-01T00:00:00Z");
        assert_eq!((header.rollback_safe, header.impact), (Some(true), Impact::Low));
        assert_eq!(ids(&header.dependencies), ["0001_users", "0002_products"]);
        assert_eq!(header.transaction, TransactionMode::Never);
        assert_eq!(header.lock_timeout.unwrap().as_secs(), 5);
        assert_eq!(header.statement_timeout.unwrap().as_secs(), 0);
        assert_eq!(ids(&header.exclusive_with), ["x"]);
    }

    #[test]
    fn what_is_wrong_is_placed_and_the_declaration_known() {
        use Declaration::{Listed, Missing, NoHeader, Unknown};
        let cases: [(&str, Declaration, &[&str]); 11] = [
            ("-- a remark", NoHeader, &[]),
            ("-- @name: x", Missing, &[]),
            ("-- Migration: x", NoHeader, &[]),
            ("-- @ticket: x", NoHeader, &["1:5 unknown key `@ticket`"]),
            ("-- @whät: x", NoHeader, &["1:5 unknown key `@whät`"]),
            (
                "-- @dependencies: []\n-- @dependancies: []",
                Listed,
                &["2:5 unknown key `@dependancies`"],
            ),
            ("-- @Dependencies: []", Unknown, &["1:5 unknown key `@Dependencies`"]),
            ("-- @dependsOn: a", Unknown, &["1:5 unknown key `@dependsOn`"]),
            ("-- @dependencies: a", Listed, &["1:19 `@dependencies` cannot be read"]),
            (
                "-- @dependencies: []\n-- @dependencies: [a]",
                Listed,
                &["2:5 `@dependencies` is given twice"],
            ),
            ("-- @dependencies: [a\n-- @name: x", Listed, &["2:4 `@dependencies` cannot be read"]),
        ];
        for (text, declaration, problems) in cases {
            let found = read(text);
            assert_eq!(
                (found.1, found.2),
                (declaration, problems.iter().map(ToString::to_string).collect()),
                "{text}"
            );
        }
    }
}
