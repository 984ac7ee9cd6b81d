//! Prisma: directories with `migration.sql`.
//!
//! They run in the order of their names; `migration_lock.toml` names the database
//! (<https://www.prisma.io/docs/orm/prisma-migrate/understanding-prisma-migrate/migration-histories>).
//! A `down.sql` beside it is what Prisma's guide on down migrations makes
//! (<https://www.prisma.io/docs/orm/prisma-migrate/workflows/generating-down-migrations>).
//!
//! `migrate deploy` sends a file in one message, without a transaction of its own:
//! PostgreSQL makes one of several statements, and a single one may be
//! `CREATE INDEX CONCURRENTLY`. That is `@transaction: auto`.

use std::collections::BTreeMap;

use toml::Table;

use super::super::names::{self, Label};
use super::super::reading::{Entry, Reading};
use super::super::tree::File;
use super::super::{ImportError, Layout};
use super::directories::{directories, rest_is_unused, without_up};
use crate::load;
use crate::model::Number;

const LOCK: &str = "migration_lock.toml";

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) -> Result<(), ImportError> {
    if let Some(lock) = reading.tree.get(LOCK) {
        check_provider(lock)?;
    }
    let found = directories(reading, Layout::Prisma);
    for unused in reading.unused.iter_mut().filter(|it| it.file == LOCK) {
        "it says only that the database is PostgreSQL".clone_into(&mut unused.reason);
    }
    for (dir, files) in found {
        migration(reading, dir, files);
    }
    Ok(())
}

fn check_provider(lock: &File) -> Result<(), ImportError> {
    let source = load::read_source(lock.path.clone());
    let table = source.ok().and_then(|source| source.text().parse::<Table>().ok());
    let provider = table.as_ref().and_then(|table| table.get("provider")?.as_str());
    match provider {
        None | Some("postgresql" | "postgres") => Ok(()),
        Some(other) => {
            Err(ImportError::OtherDatabase { file: lock.name.clone(), provider: other.to_owned() })
        }
    }
}

fn migration(reading: &mut Reading<'_>, dir: &str, mut files: BTreeMap<&str, &File>) {
    let (up, down) = (files.remove("migration.sql"), files.remove("down.sql"));
    rest_is_unused(reading, files);
    let Some(up) = up else {
        return without_up(reading, dir, ("migration.sql", down.as_slice()));
    };
    let (number, name) = Number::read(dir)
        .map_or((None, dir), |(number, rest)| (Some(number), rest.trim_start_matches('_')));
    let mut entry = Entry {
        label: Label::plain(dir),
        title: names::title(name),
        timestamp: number.and_then(|number| names::timestamp(number.as_str())),
        up: reading.whole(up),
        ..Entry::default()
    };
    entry.files.extend([Some(up), down].into_iter().flatten().map(|it| it.name.clone()));
    entry.down = down.and_then(|down| reading.whole(down));
    reading.entries.push(entry);
}
