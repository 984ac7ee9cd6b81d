//! From single files to a set whose dependencies are declared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Declaration, ParsedFile};
use crate::model::{
    Code, Dependency, Diagnostic, Diagnostics, Header, Migration, MigrationId, Place, Source, Span,
};
use crate::sql::Reading;

/// What scripts say, by migration.
pub type Readings = BTreeMap<MigrationId, Vec<Reading>>;

/// All files of a directory, each with its dependencies declared or assumed.
#[derive(Debug, Default)]
pub struct DeclaredSet {
    /// What parsed, in the order of the files.
    pub migrations: Vec<Migration>,
    /// What their up scripts say, at [`super::Depth::Meaning`].
    pub readings: Readings,
    /// What did not, but has an id that others may name.
    pub broken: Vec<BrokenFile>,
    /// Everything that is wrong with the files by themselves.
    pub diagnostics: Diagnostics,
}

/// A file with an error in it: it can be neither planned nor run, but what it
/// says about its dependencies is still checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenFile {
    /// The file's stem.
    pub id: MigrationId,
    /// The file.
    pub source: Arc<Source>,
    /// Its header, as far as it could be read.
    pub header: Header,
}

/// What to take a file for that says nothing about its dependencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlisted {
    /// A mistake: it would silently run first.
    #[default]
    Refuse,
    /// Without a header, a migration that depends on the file before it, as in every
    /// tool that runs files by their number.
    Chain,
    /// A migration whose dependencies are yet to be found out.
    Nothing,
}

/// Joins the files of a directory, given in their stable order.
pub fn settle(files: Vec<ParsedFile>, unlisted: Unlisted) -> DeclaredSet {
    let without = files.iter().filter(|file| file.declaration == Declaration::NoHeader).count();
    let mostly_without = without > 1 && without * 2 > files.len();
    let mut set = DeclaredSet::default();
    if mostly_without && unlisted == Unlisted::Refuse {
        set.diagnostics.push(no_headers(without, files.len(), &files));
    }
    let mut before: Option<MigrationId> = None;
    for mut file in files {
        set.diagnostics.append(&mut file.diagnostics);
        let declared = match file.declaration {
            Declaration::Listed | Declaration::Unknown => true,
            Declaration::NoHeader if unlisted == Unlisted::Chain => {
                file.header.dependencies = before.iter().map(assumed).collect();
                true
            }
            Declaration::NoHeader | Declaration::Missing if unlisted == Unlisted::Nothing => true,
            Declaration::NoHeader if mostly_without => false,
            Declaration::NoHeader | Declaration::Missing => {
                set.diagnostics.push(missing(&file.source, file.declaration));
                false
            }
        };
        let ParsedFile { source, header, readings, .. } = file;
        before = file.id.clone().or(before);
        match (file.id, file.scripts.filter(|_| declared)) {
            (Some(id), Some((up, down))) => {
                set.readings.insert(id.clone(), readings);
                set.migrations.push(Migration { id, source, header, up, down });
            }
            (Some(id), None) => set.broken.push(BrokenFile { id, source, header }),
            (None, _) => {}
        }
    }
    set
}

/// A dependency that stands nowhere.
fn assumed(before: &MigrationId) -> Dependency {
    Dependency { id: before.clone(), span: Span::default() }
}

fn no_headers(without: usize, all: usize, files: &[ParsedFile]) -> Diagnostic {
    let message = format!("{without} of {all} files have no migraph header");
    let problem = Diagnostic::error(Code::NoHeaders, message)
        .help("`--assume-chain` reads each file without a header as depending on the one before it")
        .help("to run in parallel, begin each file with a header: `migraph infer --write` writes what the SQL needs; `-- @dependencies: []` is the only key it must have");
    match files.iter().find(|file| file.declaration == Declaration::NoHeader) {
        Some(first) => problem.at(Place::file(&first.source)),
        None => problem,
    }
}

fn missing(source: &Arc<Source>, declaration: Declaration) -> Diagnostic {
    let problem = Diagnostic::error(Code::MissingDependencies, "`@dependencies` is missing")
        .at(Place::new(source, Span::at(0), "a file without it would run first, by mistake"))
        .help("list the migrations it needs, or write `-- @dependencies: []` for none; `migraph infer --write` writes what its SQL needs");
    match declaration {
        Declaration::NoHeader => problem.help(
            "`--assume-chain` reads each file without a header as depending on the one before it",
        ),
        _ => problem,
    }
}
