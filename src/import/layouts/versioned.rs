//! golang-migrate's pairs, and those of pop and soda.
//!
//! golang-migrate reads `{version}_{title}.up.{extension}` and the same with `down`,
//! by the pattern `^([0-9]+)_(.*)\.(down|up)\.(.*)$`, whatever the extension, pairs them
//! by their version and runs them in the order of that number
//! (<https://github.com/golang-migrate/migrate/blob/master/MIGRATIONS.md>). pop puts a
//! dialect before the direction (<https://gobuffalo.io/documentation/database/migrations/>),
//! Ory's fork also `autocommit`, and both know templates.
//!
//! golang-migrate's PostgreSQL driver sends a file in one message, without a
//! transaction of its own
//! (<https://github.com/golang-migrate/migrate/tree/master/database/postgres>):
//! PostgreSQL makes one of several statements, and a single one may be
//! `CREATE INDEX CONCURRENTLY`. That is `@transaction: auto`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Layout;
use super::super::names::{self, Label};
use super::super::piece::Piece;
use super::super::reading::{Entry, Reading, is_code};
use super::super::template::go_actions;
use super::super::tree::{File, Tree};
use super::sqlx;
use crate::load;
use crate::model::{Code, Diagnostic, Number, Place};

/// The names that pop gives to dialects, and whether PostgreSQL speaks them.
const DIALECTS: [(&str, bool); 14] = [
    ("postgres", true),
    ("postgresql", true),
    ("pg", true),
    ("cockroach", false),
    ("cockroachdb", false),
    ("crdb", false),
    ("mysql", false),
    ("mariadb", false),
    ("sqlite", false),
    ("sqlite3", false),
    ("mssql", false),
    ("sqlserver", false),
    ("oracle", false),
    ("clickhouse", false),
];

/// Which way a script goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// A file name of this layout, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    version: Vec<Number>,
    title: &'a str,
    dialect: Option<&'a str>,
    autocommit: bool,
    direction: Direction,
}

impl Name<'_> {
    fn is_postgres(&self) -> bool {
        let known = |dialect| DIALECTS.iter().any(|(name, is)| *is && *name == dialect);
        self.dialect.is_none_or(known)
    }
}

/// `1_users.postgres.autocommit.up.sql` in its parts; directories above it are a part
/// of the version when they are numbers.
fn name(file: &File) -> Option<Name<'_>> {
    let mut version = Vec::new();
    for dir in file.dirs() {
        let (number, rest) = Number::read(dir)?;
        version.push(number);
        rest.is_empty().then_some(())?;
    }
    let (number, rest) = Number::read(file.base())?;
    version.push(number);
    let (rest, direction) = direction(rest.strip_prefix('_')?)?;
    let (rest, autocommit) = match rest.strip_suffix(".autocommit") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let dialect = rest.rsplit_once('.').filter(|(_, last)| is_dialect(last));
    let (title, dialect) = dialect.map_or((rest, None), |(title, it)| (title, Some(it)));
    Some(Name { version, title, dialect, autocommit, direction })
}

fn is_dialect(word: &str) -> bool {
    DIALECTS.iter().any(|(name, _)| *name == word)
}

/// The last direction in a name, and what stands before it; an extension is behind it.
fn direction(name: &str) -> Option<(&str, Direction)> {
    let last = |word, direction| name.rfind(word).map(|at| (at, direction));
    let both = [last(".up.", Direction::Up), last(".down.", Direction::Down)];
    let (at, direction) = both.into_iter().flatten().max_by_key(|(at, _)| *at)?;
    Some((&name[..at], direction))
}

/// Which way an SQL file goes by its name: one in `.sql`, also in `.SQL` or `.pgsql`.
fn named_direction(file: &File) -> Option<Direction> {
    let is_sql = file.base().to_ascii_lowercase().ends_with("sql");
    name(file).filter(|_| is_sql).map(|name| name.direction)
}

/// True for a file that applies a migration of this layout. One that undoes may stand
/// beside `1_a.sql` too.
pub(in super::super) fn is_pair(file: &File) -> bool {
    named_direction(file) == Some(Direction::Up)
}

/// True for either file of a pair.
pub(in super::super) fn is_of_pair(file: &File) -> bool {
    named_direction(file).is_some()
}

/// All files of one version.
#[derive(Default)]
struct Group<'a> {
    up: Vec<(Name<'a>, &'a File)>,
    down: Vec<(Name<'a>, &'a File)>,
}

/// Whether the tool puts values in: some file is no SQL without. Then it does so in
/// strings too.
fn renders(tree: &Tree) -> bool {
    let scripts = tree.files.iter().filter(|file| name(file).is_some() && !is_code(file));
    // What cannot be read is no evidence; it is reported when its turn comes.
    let mut sources = scripts.filter_map(|file| load::read_source(file.path.clone()).ok());
    sources.any(|source| go_actions(&source).iter().any(|it| !it.in_string))
}

/// Reads pairs.
pub(super) fn read(reading: &mut Reading<'_>) {
    let tree = reading.tree;
    let renders = renders(tree);
    let mut groups: BTreeMap<Vec<Number>, Group<'_>> = BTreeMap::new();
    for file in &tree.files {
        match name(file) {
            Some(name) => {
                let group = groups.entry(name.version.clone()).or_default();
                let side = match name.direction {
                    Direction::Up => &mut group.up,
                    Direction::Down => &mut group.down,
                };
                side.push((name, file));
            }
            None => reading.unused(file, unused_reason(file)),
        }
    }
    for group in groups.into_values() {
        for group in by_title(reading, group) {
            self::group(reading, group, renders);
        }
    }
}

/// One group for each migration. golang-migrate has one for each version, whatever the
/// titles of its two files; others that use its names take a second title for a second
/// migration, and so the files are taken here.
fn by_title<'a>(reading: &mut Reading<'_>, group: Group<'a>) -> Vec<Group<'a>> {
    let titles: BTreeSet<&str> = group.up.iter().map(|(name, _)| name.title).collect();
    if titles.len() < 2 {
        return vec![group];
    }
    if let Some((_, file)) = group.up.first() {
        let what = "several migrations have this version, which golang-migrate refuses; they are taken in the order of their names";
        reading.note(file, Code::SameVersion, what);
    }
    let mut groups: BTreeMap<&str, Group<'a>> = BTreeMap::new();
    for (name, file) in group.up {
        groups.entry(name.title).or_default().up.push((name, file));
    }
    for (name, file) in group.down {
        groups.entry(name.title).or_default().down.push((name, file));
    }
    groups.into_values().collect()
}

fn unused_reason(file: &File) -> &'static str {
    let small = File { name: file.name.to_lowercase(), path: file.path.clone() };
    let alone = File { name: file.base().to_owned(), path: file.path.clone() };
    match file.sql_stem() {
        _ if name(&alone).is_some() => "in a directory whose name is no number",
        _ if name(&small).is_some() => {
            "golang-migrate knows `.up.` and `.down.` in small letters only"
        }
        Some(_) if file.dirs().is_empty() && sqlx::is_migration(file) => {
            "its name is not `N_name.up.sql` or `N_name.down.sql`; `--from sqlx` takes it"
        }
        Some(_) => "its name is not `N_name.up.sql` or `N_name.down.sql`",
        None => "no migration by its name",
    }
}

fn group(reading: &mut Reading<'_>, group: Group<'_>, renders: bool) {
    let up = for_postgres(reading, group.up);
    let down = for_postgres(reading, group.down);
    let Some((name, file)) = up else {
        if let Some((_, down)) = down {
            reading.leave_out(down, Code::MissingUp, "there is no up script of this version");
        }
        return;
    };
    let title = names::title(name.title);
    let label = Label::numbered(name.version.clone(), "_", &format!("_{}", name.title));
    let timestamp = name.version.last().and_then(|it| names::timestamp(it.as_str()));
    let mut entry =
        Entry { label, title, timestamp, outside_transaction: name.autocommit, ..Entry::default() };
    entry.files.push(file.name.clone());
    entry.up = script(reading, file, renders);
    if let Some((_, file)) = down {
        entry.files.push(file.name.clone());
        entry.down = script(reading, file, renders);
    }
    reading.entries.push(entry);
}

/// The file that PostgreSQL gets: its own dialect's, else the one for all.
fn for_postgres<'a>(
    reading: &mut Reading<'_>,
    files: Vec<(Name<'a>, &'a File)>,
) -> Option<(Name<'a>, &'a File)> {
    let mut chosen: Option<(Name<'a>, &'a File)> = None;
    for (name, file) in files {
        if !name.is_postgres() {
            let dialect = name.dialect.unwrap_or_default();
            reading.unused(file, format!("for {dialect}, not for PostgreSQL"));
            continue;
        }
        match &chosen {
            None => chosen = Some((name, file)),
            Some((other, replaced)) if other.dialect.is_none() && name.dialect.is_some() => {
                reading.unused(replaced, format!("`{}` is PostgreSQL's own", file.name));
                chosen = Some((name, file));
            }
            Some((other, kept)) if other.dialect.is_some() && name.dialect.is_none() => {
                reading.unused(file, format!("`{}` is PostgreSQL's own", kept.name));
            }
            Some((_, kept)) => same_version(reading, file, kept, Layout::GolangMigrate),
        }
    }
    chosen
}

/// A second file of a version is an error to the tool too.
pub(super) fn same_version(reading: &mut Reading<'_>, file: &File, kept: &File, layout: Layout) {
    let why = format!("it has the version of `{}`, which {layout} refuses", kept.name);
    reading.leave_out(file, Code::SameVersion, why);
}

fn script(reading: &mut Reading<'_>, file: &File, renders: bool) -> Option<Piece> {
    if is_code(file) {
        reading.leave_out_code(file);
        return None;
    }
    let source = reading.source(file)?;
    let actions = go_actions(&source);
    if let Some(action) = actions.iter().find(|it| renders || !it.in_string) {
        let problem = Diagnostic::error(Code::Template, "this is a template, not SQL");
        let help = "`--define NAME=VALUE` puts values in for simple placeholders";
        reading.problems.push(problem.at(Place::new(&source, action.span, "")).help(help));
        return None;
    }
    if let Some(action) = actions.first() {
        // golang-migrate knows no templates; pop, whose names are the same, does.
        let note = "this stands in a string and is taken as it is";
        let help = "if your tool puts a value in here, `--define NAME=VALUE` does";
        let note = Diagnostic::warning(Code::Template, note);
        reading.notes.push(note.at(Place::new(&source, action.span, "")).help(help));
    }
    Some(Piece::whole(&source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let shown = |path: &str| {
            let file = File { name: path.to_owned(), path: path.into() };
            name(&file).map(|it| {
                let version: Vec<_> = it.version.iter().map(Number::as_str).collect();
                let autocommit = if it.autocommit { " autocommit" } else { "" };
                let dialect = it.dialect.unwrap_or("all");
                format!(
                    "{} {} {dialect}{autocommit} {:?}",
                    version.join("/"),
                    it.title,
                    it.direction
                )
            })
        };
        let cases = [
            ("1_a.up.sql", Some("1 a all Up")),
            ("0002_a_b.down.sql", Some("0002 a_b all Down")),
            ("1_a.b.up.sql", Some("1 a.b all Up")),
            ("1_a.up.go", Some("1 a all Up")),
            ("1_a.up.pgsql", Some("1 a all Up")),
            ("1_a.down.SQL", Some("1 a all Down")),
            ("1_a.up.sql.bak", Some("1 a all Up")),
            ("1_a.up.down.sql", Some("1 a.up all Down")),
            ("1_a.up", None),
            ("1_a.UP.sql", None),
            ("1_a.postgres.up.sql", Some("1 a postgres Up")),
            ("1_a.mysql.autocommit.down.sql", Some("1 a mysql autocommit Down")),
            ("71/03_bucket.up.sql", Some("71/03 bucket all Up")),
            ("1_.up.sql", Some("1  all Up")),
            ("1.up.sql", None),
            ("a_1.up.sql", None),
            ("old/1_a.up.sql", None),
            ("1_a.sql", None),
            ("1_a.upper.sql", None),
        ];
        for (path, expected) in cases {
            assert_eq!(shown(path).as_deref(), expected, "{path}");
        }
    }
}
