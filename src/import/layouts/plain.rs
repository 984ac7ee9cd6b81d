//! Numbered files of no known tool.
//!
//! When every file begins with a number, the numbers order them (also those of
//! directories above them); else their names do. A file called like another with
//! `down`, `rollback` or `undo` behind its name undoes that one. Comments of tools
//! with such files are known ([`super::marks`]).

use std::collections::{BTreeMap, BTreeSet};

use super::super::names::{self, Label, Number};
use super::super::reading::{Entry, Reading, is_code};
use super::super::tree::File;
use super::marks;
use crate::model::Code;

/// How a script that undoes another is called.
const DOWN: [&str; 3] = ["down", "rollback", "undo"];

/// The stem with its directories, without what says the direction; and whether that
/// is down.
fn direction(stem: &str) -> (&str, bool) {
    let without = |word: &str| {
        let rest = stem.strip_suffix(word)?;
        rest.strip_suffix(['.', '_', '-']).filter(|rest| !rest.is_empty())
    };
    match DOWN.into_iter().find_map(without) {
        Some(rest) => (rest, true),
        None => (without("up").unwrap_or(stem), false),
    }
}

fn stem(file: &File) -> &str {
    file.name.strip_suffix(".sql").unwrap_or(&file.name)
}

/// The numbers that a path's parts begin with, and what stands behind the last.
fn numbers(file: &File) -> Option<(Vec<Number>, &str)> {
    let mut found = Vec::new();
    let mut rest = "";
    for part in stem(file).split('/') {
        let (number, behind) = Number::read(part)?;
        found.push(number);
        rest = behind;
    }
    Some((found, rest))
}

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let tree = reading.tree;
    let mut downs: BTreeMap<&str, &File> = BTreeMap::new();
    let mut ups = Vec::new();
    for file in &tree.files {
        match (file.sql_stem(), direction(stem(file))) {
            (Some(_), (of, true)) => {
                if let Some(second) = downs.insert(of, file) {
                    reading.leave_out(second, Code::SameVersion, "there is another of its name");
                }
            }
            (Some(_), (_, false)) => ups.push(file),
            (None, _) if is_code(file) && Number::read(file.base()).is_some() => ups.push(file),
            (None, _) => reading.unused(file, "no migration by its name"),
        }
    }
    if ups.iter().all(|file| numbers(file).is_some()) {
        ups.sort_by_key(|file| (numbers(file).map(|it| it.0), file.name.clone()));
    }
    let undone: BTreeSet<&str> = ups.iter().map(|file| direction(stem(file)).0).collect();
    for (of, file) in downs.iter().filter(|(of, _)| !undone.contains(**of)) {
        let why = format!("its name says that it undoes `{of}`, which is not here");
        reading.leave_out(file, Code::MissingUp, why);
    }
    for file in ups {
        entry(reading, file, downs.get(direction(stem(file)).0).copied());
    }
}

fn entry(reading: &mut Reading<'_>, file: &File, down: Option<&File>) {
    let is_sql = file.sql_stem().is_some();
    let (label, title) = match numbers(file).filter(|_| is_sql) {
        Some((numbers, rest)) => {
            (Label::numbered(numbers, "_", rest), rest.trim_start_matches(['_', '-', '.']))
        }
        None => (Label::plain(stem(file)), direction(stem(file)).0),
    };
    let mut entry = Entry { label, title: names::title(title), ..Entry::default() };
    entry.timestamp = Number::read(file.base()).and_then(|it| names::timestamp(it.0.as_str()));
    entry.files.push(file.name.clone());
    if is_sql {
        if let Some(source) = reading.source(file) {
            reading.take_cut(&mut entry, marks::cut(&source));
        }
    } else {
        reading.leave_out_code(file);
    }
    match down {
        Some(second) if entry.down.is_some() => {
            let why = format!("`{}` says itself what undoes it", file.name);
            reading.leave_out(second, Code::SameVersion, why);
        }
        Some(down) => {
            entry.files.push(down.name.clone());
            entry.down = reading.whole(down);
        }
        None => {}
    }
    reading.entries.push(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_known_by_their_words() {
        let cases = [
            ("1_a", ("1_a", false)),
            ("1_a_down", ("1_a", true)),
            ("1_a.down", ("1_a", true)),
            ("x/1-a-rollback", ("x/1-a", true)),
            ("1_a.undo", ("1_a", true)),
            ("1_a_up", ("1_a", false)),
            ("1_setup", ("1_setup", false)),
            ("1_breakdown", ("1_breakdown", false)),
            ("down", ("down", false)),
        ];
        for (stem, expected) in cases {
            assert_eq!(direction(stem), expected, "{stem}");
        }
    }
}
