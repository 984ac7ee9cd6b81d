//! From an entry of the other tool's history to a migration file.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use super::mend::mended;
use super::names::{self, Label};
use super::piece::Piece;
use super::reading::Entry;
use super::template::looks_like_template;
use super::{Imported, Layout};
use crate::model::{Code, Diagnostic, Diagnostics, Migration, MigrationId, Place, Span};
use crate::parse::{self, Depth, ParsedFile};
use crate::syntax::on_large_stack;

/// What stands in for a script without a statement: a migration must have one.
const NOTHING: &str = "SELECT 1; -- there was no statement here";

/// The widest line of a list of dependencies.
const WIDTH: usize = 100;

/// An entry that can be carried over.
#[derive(Debug)]
pub(super) struct Carried {
    /// As it was parsed, without dependencies.
    pub(super) migration: Migration,
}

/// The id of each entry, also of those that are left out: their place stays free.
pub(super) fn ids(entries: &[Entry]) -> Vec<MigrationId> {
    let labels: Vec<Label> = entries.iter().map(|entry| entry.label.clone()).collect();
    names::ids(&labels)
}

/// Each entry as a migration; `None` for what is left out, of which the problems say
/// why.
pub(super) fn all(
    layout: Layout,
    entries: &[Entry],
    ids: &[MigrationId],
    problems: &mut Diagnostics,
    notes: &mut Diagnostics,
) -> Vec<Option<Carried>> {
    let one = |(entry, id): (&Entry, &MigrationId)| {
        let (mut problems, mut notes) = (Diagnostics::new(), Diagnostics::new());
        let within = layout.begins_transaction() && !entry.outside_transaction;
        (carry((entry, within), id, &mut problems, &mut notes), problems, notes)
    };
    let found: Vec<_> = on_large_stack(|| entries.par_iter().zip(ids).map(one).collect());
    found
        .into_iter()
        .map(|(carried, own_problems, own_notes)| {
            problems.extend(own_problems);
            notes.extend(own_notes);
            carried
        })
        .collect()
}

/// The file of a migration whose dependencies are known.
pub(super) fn finished(
    migration: &Migration,
    entry: &Entry,
    dependencies: Vec<MigrationId>,
) -> Imported {
    let text = migration.source.text();
    let body = text.find("\n\n").map_or("", |at| &text[at..]);
    Imported {
        id: migration.id.clone(),
        files: entry.files.clone(),
        has_down: migration.down.is_some(),
        text: header(entry, &dependencies) + body,
        dependencies,
    }
}

fn carry(
    (entry, within): (&Entry, bool),
    id: &MigrationId,
    problems: &mut Diagnostics,
    notes: &mut Diagnostics,
) -> Option<Carried> {
    let up = mended(entry.up.as_ref()?, within, notes);
    let down = entry.down.as_ref().filter(|down| !down.is_blank());
    let down = down.map(|down| mended(down, within, notes));
    let parts = Parts { entry, nothing: !has_statement(&up), up, down };
    if parts.nothing {
        let place = Place::file(&parts.up.source);
        let message = format!("`{id}` has no statement; it became `SELECT 1;`");
        notes.push(Diagnostic::warning(Code::NoStatement, message).at(place));
    }
    match parts.parse(id) {
        Ok(migration) => Some(Carried { migration }),
        Err(refused) => without_down(parts, id, refused, problems),
    }
}

/// A down script that is refused does not keep the up script out.
fn without_down(
    parts: Parts<'_>,
    id: &MigrationId,
    refused: Vec<Refused>,
    problems: &mut Diagnostics,
) -> Option<Carried> {
    let in_down = parts.down.is_some() && refused.iter().all(|one| one.in_down);
    problems.extend(refused.into_iter().map(|one| one.problem(in_down)));
    let parts = Parts { down: parts.down.filter(|_| !in_down), ..parts };
    let migration = in_down.then(|| parts.parse(id))?;
    match migration {
        Ok(migration) => Some(Carried { migration }),
        Err(refused) => {
            problems.extend(refused.into_iter().map(|one| one.problem(false)));
            None
        }
    }
}

/// Whether there is something to run: transaction control alone is nothing.
fn has_statement(up: &Piece) -> bool {
    let parsed = parse::parse("x.sql".into(), up.text().into_bytes(), Depth::Tokens);
    !parsed.diagnostics.iter().any(|one| one.code == Code::EmptyScript)
}

/// Why an entry is refused.
struct Refused {
    problem: Diagnostic,
    in_down: bool,
}

impl Refused {
    fn problem(self, down_only: bool) -> Diagnostic {
        let what = if down_only { "the down script alone is left out: " } else { "" };
        Diagnostic { message: format!("{what}{}", self.problem.message), ..self.problem }
    }
}

/// A file that is put together.
struct Parts<'a> {
    entry: &'a Entry,
    up: Piece,
    /// Whether `up` has no statement.
    nothing: bool,
    down: Option<Piece>,
}

impl Parts<'_> {
    /// The text, with the places of both scripts in it.
    fn text(&self) -> (String, Span, Option<Span>) {
        let mut text = header(self.entry, &[]) + "\n\n-- UP MIGRATION\n";
        let up = append(&mut text, &self.up.text());
        if self.nothing {
            let _ = writeln!(text, "{NOTHING}");
        }
        let down = self.down.as_ref().map(|down| {
            text.push_str("\n-- DOWN MIGRATION\n");
            append(&mut text, &down.text())
        });
        (text, up, down)
    }

    /// Parses it as the file that it will be.
    fn parse(&self, id: &MigrationId) -> Result<Migration, Vec<Refused>> {
        let (text, up, down) = self.text();
        let path = PathBuf::from(format!("{id}.sql"));
        let parsed = parse::parse(path, text.clone().into_bytes(), Depth::Syntax);
        let intact = || self.intact(&parsed, &text);
        match &parsed.scripts {
            Some((script, undo)) if intact() => Ok(Migration {
                id: id.clone(),
                source: Arc::clone(&parsed.source),
                header: parsed.header.clone(),
                up: script.clone(),
                down: undo.clone(),
            }),
            Some(_) => Err(vec![self.broken()]),
            None => Err(self.refused(&parsed, up, down)),
        }
    }

    /// Whether the sections of the parsed file are those that were put in.
    fn intact(&self, parsed: &ParsedFile, text: &str) -> bool {
        let Some((up, down)) = &parsed.scripts else { return false };
        let same = |span: Span, piece: &Piece| {
            let found = parsed.source.slice(span).trim();
            let wanted = piece.text();
            found.strip_suffix(NOTHING).unwrap_or(found).trim() == wanted.trim()
        };
        let down_is = match (down, &self.down) {
            (Some(found), Some(piece)) => same(found.span, piece),
            // A script of comments only is none; its marker ended the up script.
            (None, _) => true,
            (Some(_), None) => false,
        };
        parsed.source.text() == text && same(up.span, &self.up) && down_is
    }

    fn broken(&self) -> Refused {
        let message = "the script cannot be told from the rest of a migration file";
        let place = Place::file(&self.up.source);
        Refused { problem: Diagnostic::error(Code::Section, message).at(place), in_down: false }
    }

    /// The errors, at their places in the other tool's files.
    fn refused(&self, parsed: &ParsedFile, up: Span, down: Option<Span>) -> Vec<Refused> {
        let errors = parsed.diagnostics.iter().filter(|one| one.is_error());
        errors
            .map(|error| {
                let at = error.place.as_ref().and_then(|place| place.span);
                let in_down = at.zip(down).is_some_and(|(at, down)| at.start >= down.start);
                let piece = self.down.as_ref().filter(|_| in_down).unwrap_or(&self.up);
                let base = down.filter(|_| in_down).unwrap_or(up).start;
                let label = error.place.as_ref().map(|place| place.label.clone());
                let place = match at {
                    Some(at) if at.start >= base => {
                        let inside = Span::new(at.start - base, at.end - base);
                        Place::new(&piece.source, piece.locate(inside), label.unwrap_or_default())
                    }
                    _ => Place::file(&piece.source),
                };
                Refused { problem: explained(error, place), in_down }
            })
            .collect()
    }
}

/// The error at that place; one that a template or another dialect explains says so.
fn explained(error: &Diagnostic, place: Place) -> Diagnostic {
    let rest = place
        .span
        .map_or("", |span| &place.source.text()[span.start.min(place.source.text().len())..]);
    let lines = surroundings(&place);
    let syntax = error.code == Code::Syntax || error.code == Code::Unterminated;
    if syntax && looks_like_template(&lines) {
        return Diagnostic::error(Code::Template, "this is a template, not SQL")
            .at(place)
            .help("`--define NAME=VALUE` puts values in for simple placeholders");
    }
    let mut problem = Diagnostic { place: None, related: vec![], ..error.clone() };
    // Where one stands at the place itself, the parser's verdict says so.
    if syntax && !rest.starts_with('`') && lines.contains('`') {
        problem.help =
            vec!["names in backticks are MySQL's; PostgreSQL quotes with `\"`".to_owned()];
    }
    problem.help.retain(|help| !help.contains("@transaction"));
    problem.at(place)
}

/// The line of a place and the one before it.
fn surroundings(place: &Place) -> String {
    let Some(span) = place.span else { return String::new() };
    let text = place.source.text();
    let at = span.start.min(text.len());
    let line = text[..at].rfind('\n').unwrap_or(0);
    let before = text[..line].rfind('\n').unwrap_or(0);
    let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
    text[before..end].to_owned()
}

/// Adds a text and a line end; its place.
fn append(text: &mut String, more: &str) -> Span {
    let start = text.len();
    text.push_str(more);
    let span = Span::new(start, text.len());
    if !more.is_empty() {
        text.push('\n');
    }
    span
}

/// The header's lines, without an empty one among them and without a line end.
fn header(entry: &Entry, dependencies: &[MigrationId]) -> String {
    let mut lines = Vec::new();
    lines.extend(entry.title.iter().map(|it| format!("-- @name: {it}")));
    lines.extend(entry.description.iter().map(|it| format!("-- @description: {it}")));
    lines.extend(entry.timestamp.iter().map(|it| format!("-- @timestamp: {it}")));
    if entry.outside_transaction {
        lines.push("-- @transaction: never".to_owned());
    }
    lines.push(list(dependencies));
    lines.join("\n")
}

/// `-- @dependencies: [a, b]`, over several lines where one is too long.
fn list(dependencies: &[MigrationId]) -> String {
    let ids: Vec<_> = dependencies.iter().map(MigrationId::as_str).collect();
    let line = format!("-- @dependencies: [{}]", ids.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    format!("-- @dependencies: [\n--   {}\n-- ]", ids.join(",\n--   "))
}
