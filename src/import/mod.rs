//! Migrations of other tools, as migraph files.
//!
//! A directory (`tree`) is read by the reader of its layout (`layouts`; guessed
//! by `guess` when it is not given), which gives the history in the order in which
//! the tool runs it. Each entry gets an id (`names`) and is put together as the
//! text of a migration file, which is parsed as any other (`carry`): so only what
//! `validate` accepts is carried over. `link` says what depends on what, and
//! [`write()`] makes the files.
//!
//! Nothing is dropped in silence: each file of the directory is a part of a
//! migration, or among the problems (the tool runs it, migraph cannot), or among the
//! unused (the tool does not run it either).

mod carry;
mod guess;
mod layout;
mod layouts;
mod link;
mod mend;
mod names;
mod piece;
mod reading;
mod template;
mod transaction;
mod tree;
mod write;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

pub use layout::Layout;
pub use link::{Candidate, Linking, dependencies};
pub use template::Defines;
pub use write::{WriteError, check_target, write};

use crate::model::{Code, Diagnostic, Diagnostics, MigrationId, Place, Source};
use carry::Carried;
use reading::{Entry, Reading};
use tree::Tree;

/// What to import, and how.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The other tool's directory.
    pub dir: PathBuf,
    /// Its layout; `None` to guess.
    pub layout: Option<Layout>,
    /// How dependencies are found.
    pub linking: Linking,
    /// What stands for the placeholders in the SQL.
    pub defines: Defines,
}

/// A directory that was read. Nothing is written yet.
#[derive(Debug)]
pub struct Import {
    /// Its layout.
    pub layout: Layout,
    /// Whether that was guessed.
    pub guessed: bool,
    /// What is carried over, in the order of the history, which is that of the ids.
    pub migrations: Vec<Imported>,
    /// What is left out, and why, sorted by place.
    pub left_out: Diagnostics,
    /// What changed on the way, or has no place in a migration file.
    pub notes: Diagnostics,
    /// Files that the tool does not run either.
    pub unused: Vec<Unused>,
}

/// One migration as a file of migraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its id: the file's stem.
    pub id: MigrationId,
    /// The files it was made of, below the directory.
    pub files: Vec<String>,
    /// What it depends on.
    pub dependencies: Vec<MigrationId>,
    /// Whether it has a down section.
    pub has_down: bool,
    /// The text of the file.
    pub text: String,
}

/// A file that is no part of any migration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unused {
    /// Its name below the directory.
    pub file: String,
    /// Why not.
    pub reason: String,
}

/// Why a directory cannot be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is none.
    #[error("`{}` is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// A part of it cannot be looked into.
    #[error("the directory cannot be read")]
    Unreadable(Diagnostics),
    /// No layout fits.
    #[error("the directory has no known layout")]
    NoLayout,
    /// Several do: each with a file that says so.
    #[error("the directory may have several layouts: {}", shown(.0))]
    Ambiguous(Vec<(Layout, String)>),
    /// No file in it is a migration.
    #[error("there are no migrations of {0} in the directory")]
    NoMigrations(Layout),
    /// There is nothing to import: one of its files is one of ours.
    #[error("`{0}` is a migration file of migraph already")]
    Already(String),
    /// The migrations are for another database.
    #[error("`{file}` says that the migrations are for {provider}, not for PostgreSQL")]
    OtherDatabase {
        /// The file that says so.
        file: String,
        /// What it says.
        provider: String,
    },
}

fn shown(candidates: &[(Layout, String)]) -> String {
    let one = |(layout, file): &(Layout, String)| format!("{layout} (`{file}`)");
    candidates.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl ImportError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::NoDirectory(_) => "name the directory that holds the migrations".to_owned(),
            Self::Unreadable(_) => "make it readable".to_owned(),
            Self::NoLayout => {
                let names = Layout::ALL.map(Layout::as_str).join(", ");
                format!(
                    "name the directory that holds the migrations themselves, or its layout with `--from`: {names}"
                )
            }
            Self::NoMigrations(_) => {
                "name the directory that holds the migrations themselves, or another layout"
                    .to_owned()
            }
            Self::Ambiguous(candidates) => {
                let names: Vec<_> = candidates.iter().map(|it| format!("`{}`", it.0)).collect();
                format!("say which with `--from`: {}", names.join(" or "))
            }
            Self::Already(_) => "`migraph validate` checks such a directory".to_owned(),
            Self::OtherDatabase { .. } => "migraph runs migrations on PostgreSQL".to_owned(),
        }
    }
}

/// Reads the directory and carries over what can be.
pub fn import(options: &ImportOptions) -> Result<Import, ImportError> {
    let tree = Tree::read(&options.dir)?;
    let layout = match options.layout {
        Some(layout) => layout,
        None => guess::guess(&tree)?,
    };
    let mut reading = Reading::new(&tree, &options.defines);
    layouts::read(layout, &mut reading)?;
    let Reading { entries, mut problems, mut notes, mut unused, .. } = reading;
    let ids = carry::ids(&entries);
    let carried = carry::all(layout, &entries, &ids, &mut problems, &mut notes);
    let history = History::of(&entries, &ids, &carried);
    let migrations = linked(&history, carried, (layout, options.linking), &mut notes);
    unused.extend(left_over(&tree, &migrations, &problems, &unused));
    Diagnostic::sort(&mut problems);
    Diagnostic::sort(&mut notes);
    unused.sort();
    if migrations.is_empty() && problems.is_empty() {
        return Err(ImportError::NoMigrations(layout));
    }
    let guessed = options.layout.is_none();
    Ok(Import { layout, guessed, migrations, left_out: problems, notes, unused })
}

/// Files that nothing has named so far: those that stand beside one that is left out.
fn left_over(
    tree: &Tree,
    migrations: &[Imported],
    problems: &[Diagnostic],
    unused: &[Unused],
) -> Vec<Unused> {
    let carried = migrations.iter().flat_map(|it| &it.files).map(String::as_str);
    let named: BTreeSet<&str> = carried.chain(unused.iter().map(|it| it.file.as_str())).collect();
    let places = problems.iter().filter_map(|it| it.place.as_ref());
    let blamed: BTreeSet<_> = places.map(|place| place.source.path()).collect();
    let is_left = |file: &&tree::File| {
        !named.contains(file.name.as_str()) && !blamed.contains(file.path.as_path())
    };
    let reason = || "it belongs to what is left out".to_owned();
    let left = tree.files.iter().filter(is_left);
    left.map(|file| Unused { file: file.name.clone(), reason: reason() }).collect()
}

/// The files, with their dependencies.
fn linked(
    history: &History<'_>,
    carried: Vec<Option<Carried>>,
    (layout, linking): (Layout, Linking),
    notes: &mut Diagnostics,
) -> Vec<Imported> {
    let mut of_entry = Vec::new();
    let mut candidates = Vec::new();
    for (at, one) in carried.into_iter().enumerate() {
        let Some(one) = one else { continue };
        notes.extend(history.needs_left_out(at, layout.declares_all(), &one));
        let declared = history.declared(at);
        candidates.push(Candidate { migration: one.migration, declared });
        of_entry.push(at);
    }
    let linking = match linking {
        Linking::Chain => Linking::Chain,
        _ if layout.declares_all() => Linking::Declared,
        other => other,
    };
    let needs = link::dependencies(&candidates, linking);
    let id = |at: usize| candidates.get(at).map(|one| one.migration.id.clone());
    let finished = candidates.iter().zip(&needs).zip(&of_entry);
    finished
        .map(|((candidate, needs), entry)| {
            let dependencies: Vec<_> = needs.iter().copied().filter_map(id).collect();
            carry::finished(&candidate.migration, &history.entries[*entry], dependencies)
        })
        .collect()
}

/// Which entries are carried over, and as which candidate.
struct History<'a> {
    entries: &'a [Entry],
    /// The ids of all of them.
    ids: &'a [MigrationId],
    /// The index among the candidates; `None` for what is left out.
    candidate: Vec<Option<usize>>,
}

impl<'a> History<'a> {
    fn of(entries: &'a [Entry], ids: &'a [MigrationId], carried: &[Option<Carried>]) -> Self {
        let mut next = 0..;
        let number = |one: &Option<Carried>| one.as_ref().and_then(|_| next.next());
        Self { entries, ids, candidate: carried.iter().map(number).collect() }
    }

    /// The candidates that this entry is declared to need; through one that is left
    /// out, what that one needs.
    fn declared(&self, at: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = self.entries[at].declared.clone();
        while let Some(parent) = open.pop() {
            if !seen.insert(parent) {
                continue;
            }
            match self.candidate.get(parent) {
                Some(Some(candidate)) => {
                    found.insert(*candidate);
                }
                Some(None) => open.extend(&self.entries[parent].declared),
                None => {}
            }
        }
        found
    }

    /// Says that something this entry needs is left out: what it is declared to need,
    /// and what it comes right behind where the order is all there is.
    fn needs_left_out(&self, at: usize, declared_only: bool, one: &Carried) -> Option<Diagnostic> {
        let entry = &self.entries[at];
        let before = (!declared_only).then(|| at.checked_sub(1)).flatten();
        let needed: BTreeSet<_> = entry.declared.iter().copied().chain(before).collect();
        let missing = needed.into_iter().filter(|it| self.candidate.get(*it) == Some(&None));
        let shown = |it: usize| {
            let file = self.entries[it].files.first().map(|file| format!("`{file}`"));
            let file = file.unwrap_or_else(|| "a migration without a file".to_owned());
            format!("{file} (`{}`)", self.ids[it])
        };
        let names: Vec<_> = missing.map(shown).collect();
        let verb = if declared_only { "needs" } else { "comes behind" };
        let message =
            format!("`{}` {verb} {}, which is left out", one.migration.id, names.join(", "));
        let source: &Arc<Source> = &entry.up.as_ref()?.source;
        let note = Diagnostic::warning(Code::NeedsLeftOut, message).at(Place::file(source));
        (!names.is_empty())
            .then(|| note.help("write what is left out by hand, by the id in parentheses, and let this depend on it"))
    }
}
