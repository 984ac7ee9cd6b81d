//! The temporary directory of one server: socket, data and log.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;

use super::EphemeralError;
use super::owner::Owner;

/// The longest path of a socket that every system takes (macOS: 104 bytes with the NUL).
const LONGEST_SOCKET: usize = 103;

/// What we add to a directory for temporary files to get a socket's path.
const LONGEST_ADDITION: usize = "/migraph-pg-12345678/.s.PGSQL.65535".len();

/// Where temporary files go if the place we are told will not do.
const FALLBACKS: [&str; 2] = ["/tmp", "/var/tmp"];

/// Whoever can enter the directory may connect; only the owner and root can.
const TRUST: &str = "\
local all all trust
local replication all trust
";

/// Every connection proves that it knows the password.
const SCRAM: &str = "\
local all all scram-sha-256
local replication all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
";

/// A directory of mode 0700 that belongs to the server's account; dropping removes it.
///
/// Our own files in it are made before it changes hands, and used by handle after that:
/// see [`super::owner`].
pub(super) struct Home {
    dir: TempDir,
    log: File,
}

impl Home {
    /// Makes the directory where the server's account can use it.
    pub(super) fn create(
        temp_dir: Option<&Path>,
        owner: &Owner,
        with_password: bool,
    ) -> Result<Self, EphemeralError> {
        let dir = make_dir(temp_dir, owner)?;
        let log = make_file(&dir.path().join("log"), owner)?;
        let rules = if with_password { SCRAM } else { TRUST };
        let path = dir.path().join("pg_hba.conf");
        make_file(&path, owner)?
            .write_all(rules.as_bytes())
            .map_err(EphemeralError::io("write", path))?;
        owner.take_over(dir.path())?;
        Ok(Self { dir, log })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Who may connect, and how.
    pub(super) fn hba_file(&self) -> PathBuf {
        self.path().join("pg_hba.conf")
    }

    /// The log as the standard output or error of a process; it appends.
    pub(super) fn log_output(&self) -> Result<Stdio, EphemeralError> {
        self.log
            .try_clone()
            .map(Stdio::from)
            .map_err(EphemeralError::io("open", self.path().join("log")))
    }

    /// The log's length in bytes.
    pub(super) fn log_length(&self) -> u64 {
        self.log.metadata().map_or(0, |metadata| metadata.len())
    }

    /// The log from a byte on; empty if it cannot be read.
    pub(super) fn log_since(&self, start: u64) -> String {
        let length = self.log_length().saturating_sub(start);
        let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
        match self.log.read_exact_at(&mut text, start) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(_) => String::new(),
        }
    }

    /// Removes the directory, if the guard has not done so already.
    pub(super) fn remove(&self) -> Result<(), EphemeralError> {
        match std::fs::remove_dir_all(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(EphemeralError::io("remove", self.path())(error))
            }
            _ => Ok(()),
        }
    }
}

fn make_dir(temp_dir: Option<&Path>, owner: &Owner) -> Result<TempDir, EphemeralError> {
    let mut last_error = None;
    let places = temp_dir.into_iter().chain(FALLBACKS.map(Path::new));
    for place in places.filter(|place| fits(place) && owner.writes(place)) {
        let made = tempfile::Builder::new()
            .prefix("migraph-pg-")
            .rand_bytes(8)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place);
        match made {
            Ok(dir) => return Ok(dir),
            Err(error) => last_error = Some(error),
        }
    }
    Err(EphemeralError::NoTempDir { source: last_error })
}

/// Whether a directory in `place` can hold a socket. A relative path would mean
/// something else to the server, whose working directory is not ours, and a setting
/// is text.
fn fits(place: &Path) -> bool {
    let fits = |path: &str| path.len() + LONGEST_ADDITION <= LONGEST_SOCKET;
    place.is_absolute() && place.to_str().is_some_and(fits)
}

fn make_file(path: &Path, owner: &Owner) -> Result<File, EphemeralError> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(EphemeralError::io("create", path))?;
    owner.take_over(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_directory_is_closed_and_goes_with_the_value() {
        let owner = Owner::find().unwrap();
        let home = Home::create(None, &owner, false).unwrap();
        let path = home.path().to_owned();
        for (path, mode) in [
            (path.clone(), 0o040_700),
            (path.join("log"), 0o100_600),
            (path.join("pg_hba.conf"), 0o100_600),
        ] {
            let metadata = path.metadata().unwrap();
            assert_eq!(metadata.mode(), mode, "{}", path.display());
            assert_eq!(metadata.uid(), owner.uid(), "{}", path.display());
        }
        drop(home);
        assert!(!path.exists());
    }

    #[test]
    fn an_unfit_place_is_passed_over() {
        let owner = Owner::find().unwrap();
        let long = tempfile::Builder::new()
            .prefix(&"long".repeat(20))
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in("/tmp")
            .unwrap();
        for place in [long.path(), Path::new("relative"), Path::new("/nowhere")] {
            let home = Home::create(Some(place), &owner, false).unwrap();
            assert!(home.path().starts_with("/tmp"), "{}", home.path().display());
        }
    }

    #[test]
    fn the_log_is_read_from_where_a_start_began() {
        let home = Home::create(None, &Owner::find().unwrap(), false).unwrap();
        (&home.log).write_all(b"first\n").unwrap();
        let start = home.log_length();
        (&home.log).write_all(b"second\n").unwrap();
        assert_eq!(home.log_since(0), "first\nsecond\n");
        assert_eq!(home.log_since(start), "second\n");
        assert_eq!(home.log_since(99), "");
    }
}
