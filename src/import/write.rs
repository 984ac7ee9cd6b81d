//! The files on disk.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Import;

/// Why the files cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is something there already.
    #[error("`{}` is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// It is something else than a directory.
    #[error("`{}` is not a directory", .0.display())]
    NotDirectory(PathBuf),
    /// The system refused.
    #[error("cannot write `{}`", path.display())]
    Refused {
        /// What was to be written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Whether files may be written there: the directory must be empty, or not be.
pub fn check_target(out: &Path) -> Result<(), WriteError> {
    let refused = |source| WriteError::Refused { path: out.to_owned(), source };
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(WriteError::NotEmpty(out.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(WriteError::NotDirectory(out.to_owned()))
        }
        Err(error) => Err(refused(error)),
    }
}

/// Writes one file for each migration into `out`, which is made when it is not there.
/// Never replaces anything.
pub fn write(import: &Import, out: &Path) -> Result<(), WriteError> {
    check_target(out)?;
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError::Refused { path, source }
    };
    fs::create_dir_all(out).map_err(refused(out))?;
    for migration in &import.migrations {
        let path = out.join(format!("{}.sql", migration.id));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let mut file = file.map_err(refused(&path))?;
        file.write_all(migration.text.as_bytes()).map_err(refused(&path))?;
    }
    Ok(())
}
