//! Which account runs the server.
//!
//! PostgreSQL refuses root. As root we give every program that touches the cluster to
//! another user, and never write into a directory of that user ourselves: what lies
//! there could be a symbolic link to a file that only root may change.

use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::unistd::{Gid, Uid, User, getegid, geteuid};

use super::EphemeralError;

/// Whom root hands the server to, best first.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// Where programs are looked up; ours may be run by another user, with another `PATH`.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin";

/// The account that the server's processes and files belong to; never root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    uid: Uid,
    gid: Gid,
    is_other: bool,
}

impl Owner {
    /// Ourselves, or if we are root one that PostgreSQL accepts.
    pub(super) fn find() -> Result<Self, EphemeralError> {
        if !geteuid().is_root() {
            return Ok(Self::ourselves());
        }
        ACCOUNTS
            .into_iter()
            .filter_map(|name| User::from_name(name).ok().flatten())
            .find(|user| !user.uid.is_root())
            .map(|user| Self { uid: user.uid, gid: user.gid, is_other: true })
            .ok_or(EphemeralError::NoAccount)
    }

    fn ourselves() -> Self {
        Self { uid: geteuid(), gid: getegid(), is_other: false }
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// Whether this is an account other than our own.
    pub(super) fn is_other(&self) -> bool {
        self.is_other
    }

    /// A program to be run as this account, in an environment that is always the same:
    /// our language, time zone, `PG*` variables and secrets must not get into a cluster.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null());
        if self.is_other {
            // As root this also clears the supplementary groups.
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }

    /// Gives a file to this account. The directory it lies in must still be ours.
    pub(super) fn take_over(&self, path: &Path) -> Result<(), EphemeralError> {
        if !self.is_other {
            return Ok(());
        }
        chown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
            .map_err(EphemeralError::io("change the owner of", path))
    }

    /// Whether this account can get at what lies under `path`, as far as that exists.
    /// Says no too often rather than too rarely; for ourselves the system will tell.
    pub(super) fn reaches(&self, path: &Path) -> bool {
        !self.is_other || path.ancestors().all(|dir| allows_others(dir, 0o001))
    }

    /// Whether this account can make and remove entries in `dir`, with the same reserve.
    pub(super) fn writes(&self, dir: &Path) -> bool {
        self.reaches(dir) && (!self.is_other || allows_others(dir, 0o002))
    }
}

/// Whether everybody has `permission` on `path`; there is no harm in what does not exist.
fn allows_others(path: &Path, permission: u32) -> bool {
    path.as_os_str().is_empty()
        || path.metadata().map_or_else(
            |error| error.kind() == io::ErrorKind::NotFound,
            |metadata| metadata.mode() & permission != 0,
        )
}

/// Runs a prepared program to its end and returns its output, or why there is none.
pub(super) fn run(command: &mut Command) -> Result<Output, EphemeralError> {
    let program = Path::new(command.get_program()).to_owned();
    let output = command.output().map_err(EphemeralError::io("run", &program))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(EphemeralError::Program {
        program,
        status: output.status,
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_owner_is_never_root() {
        assert_ne!(Owner::find().unwrap().uid(), 0);
    }

    #[test]
    fn programs_run_as_the_owner_in_a_bare_environment() {
        let owner = Owner::find().unwrap();
        let id = run(owner.command("id").arg("-u")).unwrap();
        let id = String::from_utf8(id.stdout).unwrap();
        assert_eq!(id.trim(), owner.uid().to_string());

        let env = run(&mut owner.command("env")).unwrap();
        let env = String::from_utf8(env.stdout).unwrap();
        let mut names: Vec<_> = env.lines().filter_map(|l| l.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["LC_ALL", "PATH", "TZ"]);
    }

    #[test]
    fn a_failing_program_is_quoted() {
        let error = run(Owner::ourselves().command("sh").args(["-c", "echo oh no >&2; exit 3"]))
            .unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed (exit status: 3):\noh no", "{error:?}");
    }

    #[test]
    fn another_account_reaches_only_what_is_open_to_all() {
        let other = Owner { is_other: true, ..Owner::ourselves() };
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let cases = [(0o700, false, false), (0o711, true, false), (0o703, true, true)];
        for (mode, reaches, writes) in cases {
            set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(other.reaches(dir.path()), reaches, "{mode:o}");
            assert_eq!(other.reaches(&dir.path().join("new")), reaches, "{mode:o}");
            assert_eq!(other.writes(dir.path()), writes, "{mode:o}");
        }
    }
}
