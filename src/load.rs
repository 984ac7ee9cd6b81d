//! From a directory to a graph. The only reader of migration files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use crate::cache::{Cache, Caches, MIN_FILES};
use crate::graph::{self, MigrationGraph};
use crate::model::{Code, Diagnostic, Diagnostics, Migration, Place, Source, shown_path};
use crate::parse::{
    self, BrokenFile, DeclaredSet, Depth, Memory, NoMemory, ParsedFile, Readings, Unlisted,
};
use crate::syntax::on_large_stack;

/// Larger files are refused: offsets are kept in 32 bits, and PostgreSQL takes
/// no message of 1 GiB either.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// As many problems are reported at once.
const MAX_PROBLEMS: usize = 1_000;

/// What to load, and how closely to look at it.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The migrations directory.
    pub dir: PathBuf,
    /// What to take a file for that says nothing about its dependencies.
    pub unlisted: Unlisted,
    /// How closely each script is looked at.
    pub depth: Depth,
    /// The user's cache directory, where what is read of the scripts may come from an
    /// earlier run and is kept for a later one; `None` when neither is wanted.
    pub cache: Option<Caches>,
}

/// A directory that can be planned.
#[derive(Debug)]
pub struct Loaded {
    /// Its migrations.
    pub graph: MigrationGraph,
    /// What the up scripts say, at [`Depth::Meaning`].
    pub readings: Readings,
    /// What is worth saying and in nobody's way.
    pub warnings: Diagnostics,
}

/// Reads and parses every `*.sql` file below the directory and builds the graph;
/// on failure all errors and warnings, sorted by file and place.
///
/// Files and directories whose names begin with `.` are left out; symbolic links
/// are followed. The order is that of the paths, so it is the same everywhere.
pub fn load(options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    let set = parsed(options)?;
    let mut diagnostics = set.diagnostics;
    let graph = match graph::build(set.migrations, &set.broken) {
        Ok(graph) => Some(graph),
        Err(problems) => {
            diagnostics.extend(problems);
            None
        }
    };
    Diagnostic::sort(&mut diagnostics);
    limit(&mut diagnostics);
    match graph {
        Some(graph) if !diagnostics.iter().any(Diagnostic::is_error) => {
            Ok(Loaded { graph, readings: set.readings, warnings: diagnostics })
        }
        _ => Err(diagnostics),
    }
}

/// The migrations of a directory in which some files are broken. These stand in it
/// as if they did nothing, and without a reading: it is there to be looked at, and
/// never to be planned. `None` when the dependencies make no graph either.
pub fn around_broken(options: &LoadOptions) -> Option<Loaded> {
    let mut set = parsed(options).ok()?;
    let nothing = parse::parse("nothing.sql".into(), b"SELECT 1;".to_vec(), Depth::Syntax);
    let (up, _) = nothing.scripts?;
    set.migrations.extend(set.broken.into_iter().map(|BrokenFile { id, source, header }| {
        Migration { id, source, header, up: up.clone(), down: None }
    }));
    let graph = graph::build(set.migrations, &[]).ok()?;
    Some(Loaded { graph, readings: set.readings, warnings: Diagnostics::new() })
}

fn parsed(options: &LoadOptions) -> Result<DeclaredSet, Diagnostics> {
    let files = files(&options.dir)?;
    let depth = options.depth;
    let worth_it = depth == Depth::Meaning && files.len() >= MIN_FILES;
    let caches = options.cache.as_ref().filter(|_| worth_it);
    let cache = caches.and_then(|caches| Cache::of(&options.dir, caches));
    let memory = cache.as_ref().map_or(&NoMemory as &dyn Memory, |cache| cache);
    let parsed =
        on_large_stack(|| files.into_par_iter().map(|file| read(file, depth, memory)).collect());
    // Where it cannot be kept, the next run takes as long as this one: no more than that.
    cache.map_or(Ok(()), Cache::save).unwrap_or_default();
    Ok(parse::settle(parsed, options.unlisted))
}

/// Nobody reads more than [`MAX_PROBLEMS`], and each costs a look for its line.
fn limit(diagnostics: &mut Diagnostics) {
    let more = diagnostics.len().saturating_sub(MAX_PROBLEMS);
    if more > 0 {
        diagnostics.truncate(MAX_PROBLEMS);
        let message = format!("there are {more} more problems");
        diagnostics.push(Diagnostic::error(Code::TooMany, message).help("mend these first"));
    }
}

/// The migration files below `dir`, sorted, or why there can be none.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>, Diagnostics> {
    let mut files = Vec::new();
    let mut problems = directory_problem(dir);
    let visible = |entry: &DirEntry| entry.depth() == 0 || !is_hidden(entry.path());
    for entry in WalkDir::new(dir).follow_links(true).into_iter().filter_entry(visible) {
        match entry {
            // A directory called x.sql is taken too: reading it says what it is.
            Ok(entry) if is_sql(entry.path()) && entry.depth() > 0 => files.push(entry.into_path()),
            Ok(_) => {}
            Err(error) if error.path().is_some_and(is_hidden) => {}
            Err(error) => match error.path().filter(|path| is_sql(path)) {
                // Reading it will tell what is wrong with it, too.
                Some(path) => files.push(path.to_owned()),
                None => problems.extend(walk_problem(dir, &error)),
            },
        }
    }
    if problems.is_empty() && files.is_empty() {
        let message = format!("there are no migrations in `{}`", shown_path(dir));
        problems
            .push(Diagnostic::error(Code::UnreadableFile, message).help(
                "migrations are files ending in `.sql`; `--dir DIR` names another directory",
            ));
    }
    files.sort();
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn directory_problem(dir: &Path) -> Diagnostics {
    let what = match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => return vec![],
        Ok(_) => "is not a directory".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".to_owned(),
        Err(error) => format!("cannot be read: {}", reason(&error)),
    };
    let message = format!("the migrations directory `{}` {what}", shown_path(dir));
    vec![Diagnostic::error(Code::UnreadableFile, message).help("`--dir DIR` names another one")]
}

fn is_sql(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sql")
}

/// Names that begin with `.` are passed over, also of links that lead nowhere: such
/// are the marks of an editor that has a file open.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// What lies beside the migrations is nobody's business, unless migrations may
/// lie in it.
pub(crate) fn walk_problem(dir: &Path, error: &walkdir::Error) -> Option<Diagnostic> {
    let path = error.path().filter(|path| *path != dir)?;
    let message = match (error.loop_ancestor(), error.io_error()) {
        (Some(ancestor), _) => {
            format!("`{}` is a link back to `{}`", shown_path(path), shown_path(ancestor))
        }
        (None, Some(io)) if io.kind() == io::ErrorKind::NotFound => return None,
        (None, Some(io)) => format!("cannot look into `{}`: {}", shown_path(path), reason(io)),
        (None, None) => format!("cannot look into `{}`", shown_path(path)),
    };
    let help = match error.loop_ancestor() {
        Some(_) => "remove the link",
        None => "migrations may be in it: make it readable, or move it elsewhere",
    };
    Some(Diagnostic::error(Code::UnreadableFile, message).help(help))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        // The walk has just seen it: what is gone is the target of a link.
        io::ErrorKind::NotFound => "the link leads nowhere".to_owned(),
        _ => error.to_string(),
    }
}

/// What keeps us from reading a file, and what to do about it.
type Refusal = (String, &'static str);

fn refusal(error: &io::Error) -> Refusal {
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => "make it readable for the user who runs migraph",
        io::ErrorKind::NotFound => "restore what it leads to, or remove the link",
        _ => "look whether other programs can read it",
    };
    (reason(error), help)
}

fn unreadable(source: &Arc<Source>, (reason, help): Refusal) -> Diagnostic {
    Diagnostic::error(Code::UnreadableFile, format!("cannot read the file: {reason}"))
        .at(Place::file(source))
        .help(help)
}

fn read(path: PathBuf, depth: Depth, memory: &dyn Memory) -> ParsedFile {
    match bytes_of(&path) {
        Ok(bytes) => parse::parse_with(path, bytes, depth, memory),
        Err(refusal) => {
            let source = Arc::new(Source::new(path, ""));
            let problem = unreadable(&source, refusal);
            parse::unreadable(source, problem)
        }
    }
}

/// The text of one file, for those who read other files than migraph's own.
pub(crate) fn read_source(path: PathBuf) -> Result<Source, Diagnostic> {
    match bytes_of(&path) {
        Ok(bytes) => parse::source(path, bytes),
        Err(refusal) => Err(unreadable(&Arc::new(Source::new(path, "")), refusal)),
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Refusal> {
    let metadata = fs::metadata(path).map_err(|error| refusal(&error))?;
    let refused = |reason: &str, help| Err((reason.to_owned(), help));
    if metadata.is_dir() {
        return refused("it is a directory", "rename it: what ends in `.sql` is a migration");
    }
    if !metadata.is_file() {
        return refused("it is not a regular file", "migrations are files, or links to files");
    }
    if metadata.len() > MAX_FILE_BYTES {
        return refused("it is larger than 1 GiB", "split it into several migrations");
    }
    fs::read(path).map_err(|error| refusal(&error))
}
