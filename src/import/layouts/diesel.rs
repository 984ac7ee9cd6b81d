//! diesel: directories with `up.sql` and `down.sql`.
//!
//! A directory is `{version}_{name}`; the version without its hyphens orders them, as
//! a text. Versions that only count would run 1, 10, 2 then: whoever has such has another
//! tool, which orders them by number, and so they are here. Each is run in a transaction,
//! unless it has a `metadata.toml` without `run_in_transaction = true`
//! (<https://docs.rs/diesel_migrations/latest/diesel_migrations/struct.FileBasedMigrations.html>).

use std::collections::BTreeMap;

use toml::Table;
use toml::de::Error;

use super::super::Layout;
use super::super::names::{self, Label};
use super::super::reading::{Entry, Reading};
use super::super::tree::File;
use super::directories::{directories, rest_is_unused, without_up};
use crate::model::{Code, Diagnostic, Number, Place};

/// A date has at least so many digits, whether it is one of the calendar or not.
const DATE_DIGITS: usize = 8;

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let mut found: Vec<_> = directories(reading, Layout::Diesel).into_iter().collect();
    found.sort_by_cached_key(|(dir, _)| {
        let counter = counter(dir);
        (counter.is_none(), counter, version(dir), *dir)
    });
    let as_text = |pair: &[(&str, _)]| version(pair[0].0) <= version(pair[1].0);
    if let Some(pair) = found.windows(2).find(|pair| !as_text(pair)) {
        by_number(reading, pair[0].0, &pair[1]);
    }
    for (dir, files) in found {
        migration(reading, dir, files);
    }
}

/// The number that a directory begins with when it only counts. `None` has no number,
/// or the digits of a date, whose text is its order: it may have more or fewer of them.
fn counter(dir: &str) -> Option<Number> {
    let (number, rest) = Number::read(dir)?;
    let goes_on = Number::read(rest.strip_prefix('-').unwrap_or_default()).is_some();
    let digits = number.as_str().trim_start_matches('0').len();
    (!goes_on && digits < DATE_DIGITS).then_some(number)
}

/// Says that diesel itself would take them in another order.
fn by_number(
    reading: &mut Reading<'_>,
    before: &str,
    (dir, files): &(&str, BTreeMap<&str, &File>),
) {
    if let Some(file) = files.get("up.sql").or_else(|| files.values().next()) {
        let what = format!(
            "`{dir}` is taken behind `{before}`, by its number; diesel orders versions as texts"
        );
        reading.note(file, Code::AssumedOrder, what);
    }
}

/// `20240131093000` of `2024-01-31-093000_add_users`.
fn version(dir: &str) -> String {
    dir.split('_').next().unwrap_or_default().replace('-', "")
}

fn migration(reading: &mut Reading<'_>, dir: &str, mut files: BTreeMap<&str, &File>) {
    let (up, down) = (files.remove("up.sql"), files.remove("down.sql"));
    let metadata = files.remove("metadata.toml");
    rest_is_unused(reading, files);
    let Some(up) = up else {
        let beside: Vec<_> = down.into_iter().chain(metadata).collect();
        return without_up(reading, dir, ("up.sql", &beside));
    };
    let name = dir.split_once('_').map_or("", |(_, name)| name);
    let in_transaction = metadata.map_or(Some(true), |it| in_transaction(reading, it));
    let behind = |number: &Number| &dir[number.as_str().len()..];
    let label = counter(dir).map_or_else(
        || Label::plain(dir),
        |number| Label::numbered(vec![number.clone()], "", behind(&number)),
    );
    let mut entry = Entry {
        label,
        title: names::title(name),
        timestamp: names::timestamp(&digits(&version(dir))),
        outside_transaction: in_transaction == Some(false),
        up: in_transaction.and_then(|_| reading.whole(up)),
        ..Entry::default()
    };
    entry.files.extend([Some(up), down, metadata].into_iter().flatten().map(|it| it.name.clone()));
    entry.down = down.and_then(|down| reading.whole(down));
    reading.entries.push(entry);
}

/// The date and the time of a version; newer ones have four digits behind them.
fn digits(version: &str) -> String {
    version.chars().take(14).collect()
}

/// Whether it is run in a transaction; `None` when that cannot be known: diesel takes
/// what it cannot read for nothing, and its author did not write nothing.
fn in_transaction(reading: &mut Reading<'_>, metadata: &File) -> Option<bool> {
    let source = reading.source(metadata)?;
    let said = said(source.text()).map_err(|why| {
        let problem = Diagnostic::error(Code::UnreadableLayout, why);
        reading.problems.push(problem.at(Place::file(&source)));
    });
    said.ok()
}

fn said(metadata: &str) -> Result<bool, String> {
    let table: Table =
        metadata.parse().map_err(|error: Error| format!("this is no TOML: {}", error.message()))?;
    match table.get("run_in_transaction") {
        // `TomlMetadata` of `migrations_internals` has serde's default for a `bool`.
        None => Ok(false),
        Some(value) => value
            .as_bool()
            .ok_or_else(|| "`run_in_transaction` is not `true` or `false`".to_owned()),
    }
}
