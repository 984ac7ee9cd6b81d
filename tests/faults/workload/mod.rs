//! The migrations of one round, made from its seed.
//!
//! Nearly all of them are wrong when they run twice: each adds one to a counter of
//! its own and to the shared one. Those that would be in each other's way in a
//! manner that PostgreSQL cannot resolve (`CONCURRENTLY` on a table that another
//! alters) say so by `@exclusiveWith`, as a user must; all else may collide.

mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use fastrand::Rng;

/// What every other migration needs. `nap` and `mishap` obey the run's PGOPTIONS,
/// so that the same files can be applied in a storm, in calm and in a hurry.
const BASE: &str = "\
CREATE TABLE counters (name text NOT NULL, n int NOT NULL);
CREATE TABLE shared (n int NOT NULL);
INSERT INTO shared VALUES (0);
CREATE TABLE copied (name text NOT NULL, k int NOT NULL);
CREATE FUNCTION nap(seconds float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('faults.hurry', true) IS DISTINCT FROM 'on' THEN PERFORM pg_sleep(seconds); END IF;
END $$;
CREATE FUNCTION mishap(percent float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('faults.storm', true) = 'on' AND random() * 100 < percent THEN
        RAISE EXCEPTION 'a mishap';
    END IF;
END $$;
";

/// PGOPTIONS that let scripts fail now and then.
pub const STORM: &str = "-c faults.storm=on";
/// PGOPTIONS that let scripts wait for nothing.
pub const HURRY: &str = "-c faults.hurry=on";

/// A round's migrations, in an order that respects their dependencies.
pub struct Workload {
    pub files: Vec<File>,
}

/// One migration, and what it must leave behind.
#[derive(Default)]
pub struct File {
    pub id: String,
    dependencies: BTreeSet<usize>,
    exclusive: BTreeSet<usize>,
    /// Further lines of its header.
    header: &'static str,
    sql: String,
    /// Names that must be in `counters` once.
    pub counters: Vec<String>,
    /// How many rows of its own it copies.
    pub copied: usize,
    /// For a statement that only a look at the data can decide: what is true when it
    /// has done its work.
    pub witnesses: BTreeMap<i32, String>,
    /// The statement that changes the session in a way that nobody can read, and does
    /// nothing else.
    pub only_settings: Option<i32>,
}

/// A table that several migrations work on.
struct Table {
    /// Who creates it.
    file: usize,
    /// Who takes locks on it that no `CONCURRENTLY` can live with.
    strong: BTreeSet<usize>,
    /// Who does something `CONCURRENTLY` to it.
    concurrent: BTreeSet<usize>,
}

/// A workload in the making.
struct Draft<'r> {
    rng: &'r mut Rng,
    /// The server's major version.
    version: u32,
    files: Vec<File>,
    tables: Vec<Table>,
}

impl Workload {
    pub fn random(rng: &mut Rng, version: u32) -> Self {
        let count = rng.usize(30..61);
        let base = File { id: "m000_base".into(), sql: BASE.into(), ..File::default() };
        let mut draft = Draft { rng, version, files: vec![base], tables: Vec::new() };
        let tables = draft.rng.usize(3..7);
        for _ in 0..tables {
            draft.table();
        }
        while draft.files.len() < count {
            draft.one_more();
        }
        draft.declare_conflicts();
        Self { files: draft.files }
    }

    /// Writes the files into `dir`.
    pub fn write(&self, dir: &Path) {
        for file in &self.files {
            std::fs::write(dir.join(format!("{}.sql", file.id)), self.text(file)).unwrap();
        }
    }

    fn text(&self, file: &File) -> String {
        let ids = |which: &BTreeSet<usize>| {
            which.iter().map(|at| self.files[*at].id.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut text = format!("-- @dependencies: [{}]\n", ids(&file.dependencies));
        if !file.exclusive.is_empty() {
            let _ = writeln!(text, "-- @exclusiveWith: [{}]", ids(&file.exclusive));
        }
        text + file.header + &file.sql
    }

    /// Every name that must be in `counters` once.
    pub fn counters(&self) -> BTreeSet<&str> {
        self.files.iter().flat_map(|file| &file.counters).map(String::as_str).collect()
    }

    /// Pairs that must not have run at the same time.
    pub fn exclusive(&self) -> Vec<(&str, &str)> {
        let mut pairs = Vec::new();
        for file in &self.files {
            pairs.extend(file.exclusive.iter().map(|at| (&*file.id, &*self.files[*at].id)));
        }
        pairs
    }

    pub fn file(&self, id: &str) -> Option<&File> {
        self.files.iter().find(|file| file.id == id)
    }
}

impl Draft<'_> {
    /// The index of the next file.
    fn next(&self) -> usize {
        self.files.len()
    }

    /// Adds a file with its own dependencies, the base, and up to two random ones.
    fn add(&mut self, kind: &str, needs: &[usize], file: File) {
        let index = self.next();
        let mut dependencies: BTreeSet<_> = needs.iter().copied().chain([0]).collect();
        for _ in 0..self.rng.usize(0..3) {
            dependencies.insert(self.rng.usize(0..index));
        }
        self.files.push(File { id: format!("m{index:03}_{kind}"), dependencies, ..file });
    }

    /// Whoever takes a strong lock on a table may not run beside what works on it
    /// `CONCURRENTLY`: the latter would be the victim of a deadlock (PG-FACTS 3).
    fn declare_conflicts(&mut self) {
        for table in &self.tables {
            for one in &table.concurrent {
                let others = table.concurrent.union(&table.strong).filter(|other| *other != one);
                self.files[*one].exclusive.extend(others);
            }
        }
    }

    /// The number of some table.
    fn some_table(&mut self) -> usize {
        self.rng.usize(0..self.tables.len())
    }

    /// A short wait, so that a fault can hit the middle of something.
    fn nap(&mut self) -> String {
        let longest = if self.rng.u8(0..6) == 0 { 700 } else { 250 };
        format!("SELECT nap(0.{:03});\n", self.rng.u32(5..longest))
    }

    /// Fails now and then, in a storm.
    fn mishap(&mut self) -> String {
        match self.rng.u8(0..8) {
            0 => "SELECT mishap(30);\n".to_owned(),
            _ => String::new(),
        }
    }
}

/// Leaves a name in `counters`.
fn own(name: &str) -> String {
    format!("INSERT INTO counters VALUES ('{name}', 1);\n")
}

/// Adds one to what all migrations add to.
const SHARED: &str = "UPDATE shared SET n = n + 1;\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_workload() {
        let text = |seed| {
            let workload = Workload::random(&mut Rng::with_seed(seed), 15);
            workload.files.iter().map(|file| workload.text(file)).collect::<Vec<_>>()
        };
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }
}
