//! Numbered files of no known tool.
//!
//! The number or the version that a name begins with, perhaps behind a `V`, orders the
//! files and the directories above them; what has none comes behind, by its name. A file
//! called like another with `down`, `rollback` or `undo` behind its name undoes that one,
//! and so does one that lies in a directory of such a name; and Postgrator's
//! `1.undo.x.sql` undoes `1.do.x.sql` (<https://www.npmjs.com/package/postgrator>).
//! Comments of tools with such files are known ([`super::marks`]).

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use super::super::names::{self, Label};
use super::super::reading::{Entry, Reading, is_code};
use super::super::tree::File;
use super::marks;
use crate::model::{Code, Number};

/// How a script that undoes another is called.
const DOWN: [&str; 3] = ["down", "rollback", "undo"];

/// A file's path in its parts.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// The path without ending, and without directories that say the direction.
    stem: String,
    /// The same without anything that says the direction.
    of: String,
    undoes: bool,
}

impl Name {
    fn of(file: &File) -> Self {
        let path = file.name.strip_suffix(".sql").unwrap_or(&file.name);
        let (dirs, base) = path.rsplit_once('/').unwrap_or(("", path));
        let is_down = |dir: &str| DOWN.contains(&dir);
        let stem: String = dirs
            .split('/')
            .filter(|dir| !dir.is_empty() && !is_down(dir) && *dir != "up")
            .flat_map(|dir| [dir, "/"])
            .chain([base])
            .collect();
        let (of, undoes) = direction(&stem);
        let undoes = undoes || dirs.split('/').any(is_down);
        Self { of: of.to_owned(), undoes, stem }
    }

    /// The numbers of the versions that the parts begin with, each behind what stands
    /// before it in an id, and what stands behind the last.
    fn numbers(&self) -> Option<(Vec<(&'static str, Number)>, &str)> {
        let mut found = Vec::new();
        let mut rest = "";
        for (at, part) in self.stem.split('/').enumerate() {
            let (version, behind) = names::version(part)?;
            let joints = iter::once(if at == 0 { "" } else { "_" }).chain(iter::repeat("."));
            found.extend(joints.zip(version));
            rest = behind;
        }
        let rest = postgrator(rest).map_or(rest, |(_, rest)| rest);
        Some((found, without(rest, "up").unwrap_or(rest)))
    }
}

/// Whether Postgrator's word behind a number says that a file undoes, and what stands
/// behind the word.
fn postgrator(rest: &str) -> Option<(bool, &str)> {
    let behind = |word| rest.strip_prefix(word).filter(|it| it.is_empty() || it.starts_with('.'));
    behind(".undo").map(|rest| (true, rest)).or_else(|| Some((false, behind(".do")?)))
}

/// The stem with its directories, without what says the direction; and whether that
/// is down.
fn direction(stem: &str) -> (&str, bool) {
    let base = stem.rsplit('/').next().unwrap_or(stem);
    if let Some((_, rest)) = names::version(base)
        && let Some((undoes, _)) = postgrator(rest)
    {
        return (&stem[..stem.len() - rest.len()], undoes);
    }
    match DOWN.into_iter().find_map(|word| without(stem, word)) {
        Some(rest) => (rest, true),
        None => (without(stem, "up").unwrap_or(stem), false),
    }
}

/// A name without a word at its end.
fn without<'a>(name: &'a str, word: &str) -> Option<&'a str> {
    let rest = name.strip_suffix(word)?;
    rest.strip_suffix(['.', '_', '-']).filter(|rest| !rest.is_empty())
}

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let tree = reading.tree;
    let mut downs: BTreeMap<String, &File> = BTreeMap::new();
    let mut ups = Vec::new();
    for file in &tree.files {
        let name = Name::of(file);
        let is_sql = file.sql_stem().is_some();
        if is_sql && name.undoes {
            if let Some(second) = downs.insert(name.of, file) {
                reading.leave_out(second, Code::SameVersion, "there is another of its name");
            }
        } else if is_sql || (is_code(file) && names::version(file.base()).is_some()) {
            ups.push((name, file));
        } else {
            reading.unused(file, "no migration by its name");
        }
    }
    ups.sort_by_cached_key(|(name, _)| key(name));
    let undone: BTreeSet<&str> = ups.iter().map(|(name, _)| name.of.as_str()).collect();
    for (of, file) in downs.iter().filter(|(of, _)| !undone.contains(of.as_str())) {
        let why = format!("its name says that it undoes `{of}`, which is not here");
        reading.leave_out(file, Code::MissingUp, why);
    }
    for (name, file) in ups {
        let down = downs.get(&name.of).copied();
        entry(reading, (&name, file), down);
    }
}

/// What the order goes by: each part of the path by its version, then by its name;
/// behind these, what has no version.
fn key(name: &Name) -> Vec<(bool, Option<Vec<Number>>, String)> {
    let key = |part: &str| {
        let version = names::version(part).map(|(numbers, _)| names::comparable(&numbers));
        (version.is_none(), version, part.to_owned())
    };
    // A name is compared with its ending, as all others do it.
    (name.stem.clone() + ".sql").split('/').map(key).collect()
}

fn entry(reading: &mut Reading<'_>, (name, file): (&Name, &File), down: Option<&File>) {
    let is_sql = file.sql_stem().is_some();
    let (label, title) = match name.numbers().filter(|_| is_sql) {
        Some((numbers, rest)) => {
            let title = rest.trim_start_matches(['_', '-', '.']);
            (Label { numbers, rest: rest.to_owned() }, title)
        }
        None => (Label::plain(&name.of), name.of.as_str()),
    };
    let mut entry = Entry { label, title: names::title(title), ..Entry::default() };
    entry.timestamp =
        names::version(file.base()).and_then(|it| names::timestamp(it.0.first()?.as_str()));
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
            ("V0001.Schema.up", ("V0001.Schema", false)),
            ("1_setup", ("1_setup", false)),
            ("1_breakdown", ("1_breakdown", false)),
            ("down", ("down", false)),
            ("001.do.a", ("001", false)),
            ("x/001.undo.b", ("x/001", true)),
            ("1.undone", ("1.undone", false)),
            ("down/1_a", ("1_a", true)),
            ("x/up/1_a", ("x/1_a", false)),
        ];
        for (stem, (of, undoes)) in cases {
            let file = File { name: format!("{stem}.sql"), path: stem.into() };
            let name = Name::of(&file);
            assert_eq!((name.of.as_str(), name.undoes), (of, undoes), "{stem}");
        }
    }
}
