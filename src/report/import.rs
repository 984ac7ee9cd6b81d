//! What became of another tool's migrations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::text::count;
use crate::import::{Import, Imported, Unused};
use crate::model::{Diagnostic, MigrationId};

/// The column of the ids is at most this far to the right.
const WIDTH: usize = 48;

/// As many unused files are named for each reason.
const FEW: usize = 5;

/// The layout, and which file became which migration.
pub(crate) fn table(import: &Import) -> String {
    let guessed = if import.guessed { " (guessed)" } else { "" };
    let mut out = format!("layout {}{guessed}\n", import.layout);
    let width = |it: &Imported| sources(it).chars().count();
    let width = import.migrations.iter().map(width).max().unwrap_or(0).min(WIDTH);
    for migration in &import.migrations {
        let _ = writeln!(out, "  {:<width$}  ->  {}", sources(migration), migration.id);
    }
    out
}

/// `1_users.up.sql, 1_users.down.sql` as `1_users.up.sql + down`, or the first file.
fn sources(migration: &Imported) -> String {
    let first = migration.files.first().map_or("", String::as_str);
    let more = if migration.files.len() > 1 && migration.has_down { " + down" } else { "" };
    format!("{first}{more}")
}

/// What changed on the way, a line each.
pub(crate) fn notes(import: &Import) -> String {
    if import.notes.is_empty() {
        return String::new();
    }
    format!("notes:\n{}", lines(&import.notes))
}

/// What is left out, a line each, and what to do about it.
pub(crate) fn left_out(import: &Import) -> String {
    let mut out = format!("left out:\n{}", lines(&import.left_out));
    let helps: BTreeMap<&str, &str> = import
        .left_out
        .iter()
        .filter_map(|one| Some((one.help.first()?.as_str(), one.code.as_str())))
        .collect();
    for (help, code) in helps {
        let _ = writeln!(out, "  help ({code}): {help}");
    }
    out
}

fn lines(all: &[Diagnostic]) -> String {
    all.iter().map(line).collect()
}

fn line(one: &Diagnostic) -> String {
    let place = one.place.as_ref().map_or_else(String::new, |place| {
        let at =
            place.location().map_or_else(String::new, |at| format!(":{}:{}", at.line, at.column));
        format!("{}{at}: ", place.source.shown_path())
    });
    let label = one.place.as_ref().map_or("", |place| place.label.as_str());
    let label = if label.is_empty() { String::new() } else { format!(" ({label})") };
    format!("  {place}{}{label} [{}]\n", one.message, one.code)
}

/// How many of each, and what to do next.
pub(crate) fn summary(import: &Import, written: bool, all: bool) -> String {
    let mut out = unused(&import.unused, if all { usize::MAX } else { FEW });
    let done = if written { "written" } else { "to write" };
    let _ = write!(out, "{} {done}", count(import.migrations.len(), "migration"));
    if !import.left_out.is_empty() {
        let _ = write!(out, "; {}", count(import.left_out.len(), "problem"));
    }
    out + "\n"
}

/// Files by the reason why they are not used, so many of each.
fn unused(all: &[Unused], most: usize) -> String {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in all {
        reasons.entry(&one.reason).or_default().push(&one.file);
    }
    let mut out = String::new();
    for (reason, files) in reasons {
        let _ = writeln!(out, "not used, {reason}:");
        for file in files.iter().take(most) {
            let _ = writeln!(out, "  {file}");
        }
        if files.len() > most {
            let _ = writeln!(out, "  and {} more; `--verbose` lists them", files.len() - most);
        }
    }
    out
}

/// `import` as a document.
#[derive(Serialize)]
pub(crate) struct ImportBody {
    layout: &'static str,
    guessed: bool,
    written: bool,
    migrations: Vec<JsonImported>,
    unused: Vec<JsonUnused>,
}

#[derive(Serialize)]
struct JsonImported {
    id: String,
    files: Vec<String>,
    dependencies: Vec<String>,
    has_down: bool,
}

#[derive(Serialize)]
struct JsonUnused {
    file: String,
    reason: String,
}

impl ImportBody {
    pub(crate) fn of(import: &Import, written: bool) -> Self {
        let unused =
            |one: &Unused| JsonUnused { file: one.file.clone(), reason: one.reason.clone() };
        Self {
            layout: import.layout.as_str(),
            guessed: import.guessed,
            written,
            migrations: import.migrations.iter().map(imported).collect(),
            unused: import.unused.iter().map(unused).collect(),
        }
    }
}

fn imported(migration: &Imported) -> JsonImported {
    JsonImported {
        id: migration.id.to_string(),
        files: migration.files.clone(),
        dependencies: migration.dependencies.iter().map(MigrationId::to_string).collect(),
        has_down: migration.has_down,
    }
}
