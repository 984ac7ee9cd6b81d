//! sqlx: `N_name.sql`, or `N_name.up.sql` and `N_name.down.sql`.
//!
//! The number is the version and orders the files; what does not end in `.sql` or has
//! no number is passed over. A file is run in a transaction, unless it begins with
//! `-- no-transaction` (<https://docs.rs/sqlx/latest/sqlx/macro.migrate.html>,
//! `sqlx-core/src/migrate/source.rs`).

use std::collections::BTreeMap;

use super::super::Layout;
use super::super::names::{self, Label};
use super::super::reading::{Entry, Reading};
use super::super::tree::File;
use super::versioned::same_version;
use crate::model::{Code, Number, Source};

/// Which way a file goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Up,
    Down,
}

/// True for a file that says what only sqlx says.
pub(in super::super) fn is_marked(source: &Source) -> bool {
    source.text().starts_with("-- no-transaction")
}

/// The version, the description and the direction in a file's name.
fn name(file: &File) -> Option<(Number, &str, Kind)> {
    let (number, rest) = Number::read(file.sql_stem()?)?;
    let rest = rest.strip_prefix('_')?;
    if let Some(rest) = rest.strip_suffix(".down") {
        return Some((number, rest, Kind::Down));
    }
    Some((number, rest.strip_suffix(".up").unwrap_or(rest), Kind::Up))
}

/// True for a name that sqlx takes: also one without a direction.
pub(super) fn is_migration(file: &File) -> bool {
    name(file).is_some()
}

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let tree = reading.tree;
    let mut versions: BTreeMap<Number, Vec<(Kind, &str, &File)>> = BTreeMap::new();
    for file in &tree.files {
        if reading.unused_in_directory(file, Layout::Sqlx) {
            continue;
        }
        match name(file) {
            Some((number, rest, kind)) => {
                versions.entry(number).or_default().push((kind, rest, file));
            }
            None => reading.unused(file, "no migration by its name"),
        }
    }
    for (number, files) in versions {
        version(reading, &number, &files);
    }
}

fn version(reading: &mut Reading<'_>, number: &Number, files: &[(Kind, &str, &File)]) {
    let mut of_kind = |kind| {
        let mut found = files.iter().filter(|it| it.0 == kind);
        let first = found.next();
        for (_, _, file) in found {
            if let Some((_, _, kept)) = first {
                same_version(reading, file, kept, Layout::Sqlx);
            }
        }
        first
    };
    let (up, down) = (of_kind(Kind::Up), of_kind(Kind::Down));
    let Some((_, rest, file)) = up else {
        if let Some((_, _, down)) = down {
            reading.leave_out(down, Code::MissingUp, "there is no up script of this version");
        }
        return;
    };
    let mut entry = Entry {
        label: Label::numbered(vec![number.clone()], "", &format!("_{rest}")),
        title: names::title(rest),
        timestamp: names::timestamp(number.as_str()),
        files: vec![file.name.clone()],
        up: reading.whole(file),
        ..Entry::default()
    };
    entry.outside_transaction = entry.up.as_ref().is_some_and(|up| is_marked(&up.source));
    if let Some((_, _, file)) = down {
        entry.files.push(file.name.clone());
        entry.down = reading.whole(file);
    }
    reading.entries.push(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let shown = |name: &str| {
            let file = File { name: name.to_owned(), path: name.into() };
            super::name(&file).map(|(number, rest, kind)| {
                format!(
                    "{} {rest} {}",
                    number.as_str(),
                    if kind == Kind::Up { "up" } else { "down" }
                )
            })
        };
        let cases = [
            ("1_a.sql", Some("1 a up")),
            ("20220101_a-b.up.sql", Some("20220101 a-b up")),
            ("1_a.down.sql", Some("1 a down")),
            ("1-a.sql", None),
            ("a.sql", None),
            ("1_a.txt", None),
        ];
        for (name, expected) in cases {
            assert_eq!(shown(name).as_deref(), expected, "{name}");
        }
    }
}
