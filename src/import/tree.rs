//! The files of the directory that is imported, and the directories in it.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::ImportError;
use crate::load;

/// One file, or a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct File {
    /// Its path below the directory, with `/`. A name that is no UTF-8 has
    /// replacement characters in it.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

impl File {
    /// The directories that lead to it.
    pub(super) fn dirs(&self) -> Vec<&str> {
        let mut parts: Vec<_> = self.name.split('/').collect();
        parts.pop();
        parts
    }

    /// Its name without directories.
    pub(super) fn base(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Its name without directories and ending, when it ends in `.sql`.
    pub(super) fn sql_stem(&self) -> Option<&str> {
        self.base().strip_suffix(".sql")
    }
}

/// Every file below the directory, sorted by name. As for migraph's own directories,
/// names that begin with `.` are left out and symbolic links are followed.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// The directories right below it, also empty ones.
    pub(super) dirs: Vec<File>,
}

impl Tree {
    /// Looks for them.
    pub(super) fn read(dir: &Path) -> Result<Self, ImportError> {
        if !fs::metadata(dir).is_ok_and(|it| it.is_dir()) {
            return Err(ImportError::NoDirectory(dir.to_owned()));
        }
        let visible = |entry: &DirEntry| entry.depth() == 0 || !load::is_hidden(entry.path());
        let (mut files, mut dirs, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for entry in WalkDir::new(dir).follow_links(true).into_iter().filter_entry(visible) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    dirs.extend((entry.depth() == 1).then(|| file(dir, entry.into_path())));
                }
                Ok(entry) => files.push(file(dir, entry.into_path())),
                Err(error) if error.path().is_some_and(load::is_hidden) => {}
                Err(error) => match load::walk_problem(dir, &error) {
                    Some(problem) => problems.push(problem),
                    // A link that leads nowhere: whoever reads it will say so.
                    None => files.extend(error.path().map(|path| file(dir, path.to_owned()))),
                },
            }
        }
        if !problems.is_empty() {
            return Err(ImportError::Unreadable(problems));
        }
        files.sort();
        dirs.sort();
        Ok(Self { files, dirs })
    }

    /// The file of that name.
    pub(super) fn get(&self, name: &str) -> Option<&File> {
        let at = self.files.binary_search_by(|file| file.name.as_str().cmp(name)).ok()?;
        self.files.get(at)
    }
}

fn file(dir: &Path, path: PathBuf) -> File {
    let inside = path.strip_prefix(dir).unwrap_or(&path);
    let parts: Vec<_> = inside.components().map(|it| it.as_os_str().to_string_lossy()).collect();
    File { name: parts.join("/"), path }
}
