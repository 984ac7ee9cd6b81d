//! `infer`: the dependencies that the SQL implies, and the files that say so.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::analyse::{Analysis, Completion, Dependency, completed};
use crate::graph::{MigrationGraph, Node};
use crate::model::{Code, Diagnostic, Diagnostics, MigrationId, Number, Place};
use crate::parse::{Readings, with_dependencies};

/// What is implied, for all migrations.
#[derive(Debug)]
pub struct Inference {
    /// The replay that it is taken from; it knows the names of objects.
    pub analysis: Analysis,
    /// By [`Node::index`]: each migration's dependencies, in the order of ids.
    pub dependencies: Vec<Vec<Dependency>>,
    /// The files that would be written otherwise.
    pub changes: Vec<Change>,
    /// What is doubtful about it.
    pub warnings: Diagnostics,
}

/// A file with other dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which migration.
    pub node: Node,
    /// Where it is.
    pub path: PathBuf,
    /// What is in it now.
    pub before: String,
    /// What would be in it.
    pub after: String,
}

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{}`: {reason}", path.display())]
pub struct FileError {
    /// What was to be done: `read` or `write`.
    pub what: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// What the system said.
    pub reason: io::Error,
}

/// Infers the dependencies of `graph`, of which [`crate::parse::Depth::Meaning`] made
/// `readings`. Writes nothing.
pub fn infer(
    graph: &MigrationGraph,
    readings: Readings,
    completion: Completion,
) -> Result<Inference, FileError> {
    let analysis = Analysis::new(graph, readings);
    let dependencies = completed(graph, &analysis, completion);
    let mut changes = Vec::new();
    for node in graph.nodes() {
        let migration = graph.migration(node);
        let ids: Vec<&MigrationId> =
            dependencies[node.index()].iter().map(|it| graph.id(it.on)).collect();
        let mut listed: Vec<_> = migration.header.dependencies.iter().map(|it| &it.id).collect();
        listed.sort_unstable();
        if listed == ids && migration.header.dependencies_at.is_some() {
            continue;
        }
        let path = migration.source.path().to_owned();
        let before = fs::read_to_string(&path).map_err(|reason| FileError {
            what: "read",
            path: path.clone(),
            reason,
        })?;
        let after = with_dependencies(&before, (&migration.source, &migration.header), &ids);
        changes.push(Change { node, path, before, after });
    }
    let warnings = against_numbers(graph, &dependencies).into_iter().collect();
    Ok(Inference { analysis, dependencies, changes, warnings })
}

/// Ids are ordered as texts. Where that makes a migration depend on one of a larger
/// number, something else was meant, most likely.
fn against_numbers(graph: &MigrationGraph, dependencies: &[Vec<Dependency>]) -> Option<Diagnostic> {
    let number = |node: Node| Number::read(graph.id(node).as_str()).map(|(number, _)| number);
    let against = |node: Node| {
        let own = number(node)?;
        let mut new = dependencies[node.index()].iter().filter(|it| !it.declared);
        let on = new.find(|it| number(it.on).is_some_and(|other| other > own))?.on;
        Some((node, on))
    };
    let mut all = graph.nodes().filter_map(against);
    let (node, on) = all.next()?;
    let more = match all.count() {
        0 => String::new(),
        more => format!("; there are {more} more of the kind"),
    };
    let (id, on) = (graph.id(node), graph.id(on));
    let message = format!(
        "`{id}` is taken behind `{on}`, because ids are ordered as texts, and would depend on it{more}"
    );
    let warning = Diagnostic::warning(Code::AssumedOrder, message);
    Some(warning.at(Place::file(&graph.migration(node).source)).help(
        "rename the files so that their numbers have the same width: `migraph import --from plain` does; or declare what comes first",
    ))
}

/// Writes each change; a file has its old bytes or its new ones at any instant.
pub fn write(changes: &[Change]) -> Result<(), FileError> {
    for change in changes {
        replace(&change.path, change.after.as_bytes()).map_err(|reason| FileError {
            what: "write",
            path: change.path.clone(),
            reason,
        })?;
    }
    Ok(())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What a link leads to, not the link.
    let path = path.canonicalize()?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
