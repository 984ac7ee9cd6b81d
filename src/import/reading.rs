//! What the readers of the layouts give, and what they need for it.

use std::sync::Arc;

use jiff::Timestamp;

use super::names::Label;
use super::piece::Piece;
use super::template::Defines;
use super::tree::{File, Tree};
use super::{Layout, Unused};
use crate::load;
use crate::model::{Code, Diagnostic, Diagnostics, Place, Source, Span};

/// One migration of the other tool, at its place in the history.
///
/// Also one that is left out: its dependents must be told, and its place in the
/// numbering stays free.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// What its id is made of.
    pub(super) label: Label,
    /// Its files, by their names in the tree.
    pub(super) files: Vec<String>,
    /// The name for people.
    pub(super) title: Option<String>,
    /// More about it.
    pub(super) description: Option<String>,
    /// When it was written.
    pub(super) timestamp: Option<Timestamp>,
    /// Earlier entries that it is declared to need, by their index.
    pub(super) declared: Vec<usize>,
    /// Whether the tool is told to run it outside of a transaction.
    pub(super) outside_transaction: bool,
    /// What applies it; `None` when it is left out, and why is among the problems.
    pub(super) up: Option<Piece>,
    /// What undoes it.
    pub(super) down: Option<Piece>,
}

/// A source file cut into its sections.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) up: Piece,
    pub(super) down: Option<Piece>,
    pub(super) outside_transaction: bool,
}

/// A directory while it is read.
pub(super) struct Reading<'a> {
    /// Its files.
    pub(super) tree: &'a Tree,
    /// What is known of templates.
    pub(super) defines: &'a Defines,
    /// The history, in its order.
    pub(super) entries: Vec<Entry>,
    /// What is left out, and why.
    pub(super) problems: Diagnostics,
    /// What changed on the way, or has no place in a migration file.
    pub(super) notes: Diagnostics,
    /// Files that the tool does not run either.
    pub(super) unused: Vec<Unused>,
}

impl<'a> Reading<'a> {
    /// The beginning.
    pub(super) fn new(tree: &'a Tree, defines: &'a Defines) -> Self {
        let (problems, notes) = (Diagnostics::new(), Diagnostics::new());
        Self { tree, defines, entries: vec![], problems, notes, unused: vec![] }
    }

    /// The text of a file, with what is defined put in; what cannot be read is left
    /// out.
    pub(super) fn source(&mut self, file: &File) -> Option<Arc<Source>> {
        match load::read_source(file.path.clone()) {
            Ok(source) => {
                let text = self.defines.apply(source.text()).into_owned();
                Some(Arc::new(Source::new(file.path.clone(), text)))
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// The text of a file as a whole.
    pub(super) fn whole(&mut self, file: &File) -> Option<Piece> {
        self.source(file).map(|source| Piece::whole(&source))
    }

    /// Puts the sections of a file into `entry`, or says why they cannot be had.
    pub(super) fn take_cut(&mut self, entry: &mut Entry, cut: Result<Cut, Diagnostic>) {
        match cut {
            Ok(Cut { up, down, outside_transaction }) => {
                entry.outside_transaction = outside_transaction;
                entry.up = Some(up);
                entry.down = down;
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Leaves out a file without looking into it.
    pub(super) fn leave_out(&mut self, file: &File, code: Code, why: impl Into<String>) {
        let source = Arc::new(Source::new(file.path.clone(), ""));
        self.problems.push(Diagnostic::error(code, why).at(Place::file(&source)));
    }

    /// Leaves out a migration that is code.
    pub(super) fn leave_out_code(&mut self, file: &File) {
        let ending = file.base().rsplit('.').next().unwrap_or_default();
        let why = format!("the migration is code (.{ending}), not SQL");
        self.leave_out(file, Code::CodeMigration, why);
    }

    /// Says something about a file that is carried over.
    pub(super) fn note(&mut self, file: &File, code: Code, what: impl Into<String>) {
        let source = Arc::new(Source::new(file.path.clone(), ""));
        self.notes.push(Diagnostic::warning(code, what).at(Place::file(&source)));
    }

    /// A file that is no migration to the tool either.
    pub(super) fn unused(&mut self, file: &File, why: impl Into<String>) {
        self.unused.push(Unused { file: file.name.clone(), reason: why.into() });
    }

    /// A file that stands in the way of a layout which has all its files in one place.
    /// True when it was one.
    pub(super) fn unused_in_directory(&mut self, file: &File, layout: Layout) -> bool {
        let inside = file.name.contains('/');
        if inside {
            self.unused(file, format!("{layout} does not look into subdirectories"));
        }
        inside
    }
}

/// Why a section of a file cannot be had.
pub(super) fn malformed(source: &Arc<Source>, span: Span, why: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::UnreadableLayout, why).at(Place::new(source, span, ""))
}

/// Migrations are code in these.
const LANGUAGES: [&str; 21] = [
    "fizz", "go", "js", "cjs", "mjs", "ts", "cts", "mts", "py", "rb", "java", "class", "kt",
    "groovy", "scala", "rs", "php", "pl", "sh", "cs", "exs",
];

/// True when the file's ending is that of a program.
pub(super) fn is_code(file: &File) -> bool {
    let base = file.base();
    let is_test = base.ends_with("_test.go") || base.contains(".test.") || base.contains(".spec.");
    base.rsplit_once('.').is_some_and(|(_, ending)| LANGUAGES.contains(&ending)) && !is_test
}
