//! Flyway, and refinery, which uses its names.
//!
//! `V{version}__{description}.sql`, or `V{version}.sql`, is applied once, in the order of
//! the version's numbers; `U…` undoes it; `R__…` is run again whenever it changes; `B…` stands for
//! all versions up to its own; other files may be callbacks
//! (<https://documentation.red-gate.com/fd/migrations-184127470.html>). `${name}` is a
//! placeholder. A file is run in a transaction, but for one whose statements cannot be,
//! and one with `executeInTransaction=false` in `{file}.conf`
//! (<https://documentation.red-gate.com/fd/flyway-execute-in-transaction-setting-277578997.html>);
//! `shouldExecute` there is a condition
//! (<https://www.red-gate.com/blog/introducing-the-shouldexecute-script-configuration-option>).

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use super::super::Layout;
use super::super::names::{self, Label};
use super::super::piece::Piece;
use super::super::reading::{Entry, Reading, is_code};
use super::super::template::dollar_placeholder;
use super::super::tree::File;
use super::versioned::same_version;
use crate::model::{Code, Diagnostic, Number, Place, Source};

/// The beginnings of a callback's name.
const EVENTS: [&str; 5] = ["before", "after", "create", "drop", "undo"];

/// A file name of Flyway's.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    kind: char,
    version: Vec<Number>,
    joint: &'static str,
    description: &'a str,
}

/// `V1.2__add_users.sql` in its parts.
fn name(base: &str) -> Option<Name<'_>> {
    let (stem, _extension) = base.rsplit_once('.')?;
    let kind = stem.chars().next().filter(|kind| "VURB".contains(*kind))?;
    let (version, description) = stem[1..].split_once("__").unwrap_or((&stem[1..], ""));
    let joint = if version.contains('.') { "." } else { "_" };
    let numbers = |text: &str| {
        let whole = |part| Number::read(part).filter(|(_, rest)| rest.is_empty());
        text.split(['.', '_']).map(|part| whole(part).map(|it| it.0)).collect::<Option<Vec<_>>>()
    };
    match (kind, version) {
        ('R', "") if !description.is_empty() => {
            Some(Name { kind, version: vec![], joint, description })
        }
        ('R', _) => None,
        _ => Some(Name { kind, version: numbers(version)?, joint, description }),
    }
}

/// True for a file that has a version and a description of Flyway's.
pub(in super::super) fn is_versioned(base: &str) -> bool {
    let is_described = |it: Name<'_>| it.kind == 'V' && base.contains("__");
    base.strip_suffix(".sql").is_some() && name(base).is_some_and(is_described)
}

/// All files of one version.
#[derive(Default)]
struct Group<'a> {
    apply: Vec<(Name<'a>, &'a File)>,
    undo: Vec<&'a File>,
}

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let tree = reading.tree;
    let mut groups: BTreeMap<Vec<Number>, Group<'_>> = BTreeMap::new();
    for file in &tree.files {
        let is_migration = file.sql_stem().is_some() || is_code(file);
        match name(file.base()).filter(|_| is_migration) {
            Some(name) if name.kind == 'V' => {
                groups
                    .entry(names::comparable(&name.version))
                    .or_default()
                    .apply
                    .push((name, file));
            }
            Some(name) if name.kind == 'U' => {
                groups.entry(names::comparable(&name.version)).or_default().undo.push(file);
            }
            Some(name) => leave_out(reading, file, name.kind),
            None => other(reading, file),
        }
    }
    for group in groups.into_values() {
        version(reading, group);
    }
}

fn leave_out(reading: &mut Reading<'_>, file: &File, kind: char) {
    match kind {
        'R' => {
            let why = "it is repeatable: Flyway runs it again whenever it changes; migraph applies a file once";
            reading.leave_out(file, Code::Repeatable, why);
        }
        _ => reading.unused(file, "a baseline stands for versions that are here themselves"),
    }
}

/// What is no migration: a callback is SQL that would be missed.
fn other(reading: &mut Reading<'_>, file: &File) {
    let base = file.base();
    let is_event = |event: &str| {
        let rest = base.strip_prefix(event).unwrap_or_default();
        rest.starts_with(|c: char| c.is_ascii_uppercase())
    };
    if file.sql_stem().is_some() && EVENTS.into_iter().any(is_event) {
        reading.leave_out(file, Code::Repeatable, "it is a callback: Flyway runs it at every run");
    } else if base.strip_suffix(".conf").is_some_and(|script| name(script).is_some()) {
        reading.unused(file, "read for the transaction and the placeholders of its script");
    } else {
        reading.unused(file, "no migration by its name");
    }
}

fn version(reading: &mut Reading<'_>, group: Group<'_>) {
    let mut apply = group.apply.into_iter();
    let Some((name, file)) = apply.next() else {
        for file in group.undo {
            let why = "it undoes a version that is not here";
            reading.leave_out(file, Code::MissingUp, why);
        }
        return;
    };
    for (_, second) in apply {
        same_version(reading, second, file, Layout::Flyway);
    }
    let settings = settings(reading, file);
    let mut entry = Entry {
        title: names::title(name.description),
        timestamp: name.version.first().and_then(|it| names::timestamp(it.as_str())),
        files: vec![file.name.clone()],
        outside_transaction: settings.is_some_and(|it| it.outside_transaction),
        ..Entry::default()
    };
    let joints = iter::once("V").chain(iter::repeat(name.joint));
    entry.label = Label {
        numbers: joints.zip(name.version).collect(),
        rest: if name.description.is_empty() {
            String::new()
        } else {
            format!("__{}", name.description)
        },
    };
    entry.up = settings.and_then(|settings| script(reading, file, settings));
    if let Some(undo) = group.undo.first() {
        let settings = self::settings(reading, undo);
        entry.files.push(undo.name.clone());
        entry.down = settings.and_then(|settings| script(reading, undo, settings));
    }
    for second in group.undo.iter().skip(1) {
        same_version(reading, second, group.undo[0], Layout::Flyway);
    }
    reading.entries.push(entry);
}

/// What a script's own configuration says.
#[derive(Clone, Copy)]
struct Settings {
    outside_transaction: bool,
    placeholders: bool,
    conditional: bool,
}

/// `None` when it cannot be read, which is said.
fn settings(reading: &mut Reading<'_>, file: &File) -> Option<Settings> {
    let tree = reading.tree;
    let source = match tree.get(&format!("{}.conf", file.name)) {
        Some(configuration) => Some(reading.source(configuration)?),
        None => None,
    };
    let is = |key: &str, wanted: &str| {
        let text = source.as_ref().map_or("", |source| source.text());
        let value = |line: &str| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().eq_ignore_ascii_case(wanted))
        };
        text.lines().find_map(value)
    };
    Some(Settings {
        outside_transaction: is("executeInTransaction", "false") == Some(true),
        placeholders: is("placeholderReplacement", "false") != Some(true),
        conditional: is("shouldExecute", "true") == Some(false),
    })
}

fn script(reading: &mut Reading<'_>, file: &File, settings: Settings) -> Option<Piece> {
    if is_code(file) {
        reading.leave_out_code(file);
        return None;
    }
    if settings.conditional {
        let why = "its configuration says when Flyway runs it (`shouldExecute`)";
        reading.leave_out(file, Code::Template, why);
        return None;
    }
    let source: Arc<Source> = reading.source(file)?;
    match dollar_placeholder(&source).filter(|_| settings.placeholders) {
        Some(span) => {
            let problem = Diagnostic::error(Code::Template, "Flyway puts a value in here");
            let help = "`--define NAME=VALUE` puts values in for `${NAME}`";
            reading.problems.push(problem.at(Place::new(&source, span, "")).help(help));
            None
        }
        None => Some(Piece::whole(&source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let shown = |base: &str| {
            name(base).map(|it| {
                let version: Vec<_> = it.version.iter().map(Number::as_str).collect();
                format!("{} {} {}", it.kind, version.join(it.joint), it.description)
            })
        };
        let cases = [
            ("V1__a.sql", Some("V 1 a")),
            ("V1.2.3__a_b.sql", Some("V 1.2.3 a_b")),
            ("V1_10__a.sql", Some("V 1_10 a")),
            ("U2__a.sql", Some("U 2 a")),
            ("R__view.sql", Some("R  view")),
            ("B7__all.sql", Some("B 7 all")),
            ("V1__A.java", Some("V 1 A")),
            ("V20240131093000__x.sql", Some("V 20240131093000 x")),
            ("V2.1.sql", Some("V 2.1 ")),
            ("R__.sql", None),
            ("V1_a.sql", None),
            ("V__a.sql", None),
            ("Vx__a.sql", None),
            ("v1__a.sql", None),
            ("é__.sql", None),
            ("", None),
        ];
        for (base, expected) in cases {
            assert_eq!(shown(base).as_deref(), expected, "{base}");
        }
    }
}
