//! Which layout a directory has.
//!
//! The rules look at names first and at contents where names do not tell. Each kind
//! of evidence speaks for one layout; a directory with evidence for two is
//! ambiguous, never decided by a guess.

use std::collections::BTreeMap;

use super::layouts::{dbmate, flyway, goose, node_pg_migrate, sqitch, sqlx, versioned};
use super::names;
use super::tree::{File, Tree};
use super::{ImportError, Layout};
use crate::load;

/// The layout of the directory.
pub(super) fn guess(tree: &Tree) -> Result<Layout, ImportError> {
    let mut found = Evidence::default();
    if let Some(plan) = sqitch::plan(tree) {
        found.add(Layout::Sqitch, plan);
    }
    for file in &tree.files {
        if let Some(layout) = by_name(tree, file) {
            found.add(layout, file);
        }
    }
    let by_names = !found.0.is_empty();
    for file in tree.files.iter().filter(|file| may_have_marks(file)) {
        let is_ours = by_content(file, &mut found);
        if is_ours && !by_names {
            return Err(ImportError::Already(file.name.clone()));
        }
    }
    if found.0.is_empty() {
        let numbered = tree.files.iter().find(|file| is_plain(file));
        return numbered.map(|_| Layout::Plain).ok_or(ImportError::NoLayout);
    }
    found.verdict()
}

/// A file for each layout that there is evidence for: the first one.
#[derive(Default)]
struct Evidence(BTreeMap<Layout, String>);

impl Evidence {
    fn add(&mut self, layout: Layout, file: &File) {
        self.0.entry(layout).or_insert_with(|| file.name.clone());
    }

    fn verdict(mut self) -> Result<Layout, ImportError> {
        // sqlx's pairs have golang-migrate's names, and its mark says more.
        if self.0.contains_key(&Layout::Sqlx) {
            self.0.remove(&Layout::GolangMigrate);
        }
        match self.0.len() {
            1 => self.0.into_keys().next().ok_or(ImportError::NoLayout),
            _ => Err(ImportError::Ambiguous(self.0.into_iter().collect())),
        }
    }
}

/// What the name alone tells.
fn by_name(tree: &Tree, file: &File) -> Option<Layout> {
    let dirs = file.dirs();
    match (dirs.as_slice(), file.base()) {
        ([], "migration_lock.toml") | ([_], "migration.sql") => Some(Layout::Prisma),
        ([dir], "up.sql") => {
            let metadata = tree.get(&format!("{dir}/metadata.yaml"));
            Some(if metadata.is_some() { Layout::Sourcegraph } else { Layout::Diesel })
        }
        (_, base) if flyway::is_versioned(base) => Some(Layout::Flyway),
        (_, _) if versioned::is_pair(file) => Some(Layout::GolangMigrate),
        _ => None,
    }
}

/// A file by itself, whose name says no more than its number.
fn may_have_marks(file: &File) -> bool {
    file.sql_stem().is_some() && file.dirs().is_empty()
}

fn is_plain(file: &File) -> bool {
    file.sql_stem().is_some_and(|stem| names::version(stem).is_some())
}

/// Takes what the marks tell; true when the file has a header of migraph's.
fn by_content(file: &File, found: &mut Evidence) -> bool {
    // What cannot be read is no evidence; the reader of the layout will report it.
    let Ok(source) = load::read_source(file.path.clone()) else { return false };
    // `-- Up migration` is a remark that anybody may write: a name says more.
    let has_words = !versioned::is_of_pair(file) && node_pg_migrate::is_marked(&source);
    let marks = [
        (Layout::Goose, goose::is_marked(&source)),
        (Layout::Dbmate, dbmate::is_marked(&source)),
        (Layout::NodePgMigrate, has_words),
        (Layout::Sqlx, sqlx::is_marked(&source)),
    ];
    marks.into_iter().filter(|(_, is)| *is).for_each(|(layout, _)| found.add(layout, file));
    let is_header = |line: &str| line.starts_with("-- @dependencies:");
    source.text().lines().take_while(|line| line.starts_with("--")).any(is_header)
}
