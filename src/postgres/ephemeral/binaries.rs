//! Finding `initdb` and `postgres`.
//!
//! Distributions put them outside of the search path, side by side in a directory per
//! version, and link single ones into it. So links are followed first, and a directory
//! counts only if it really holds both.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::owner::{self, Owner};
use super::{EphemeralError, Options};

/// The oldest release whose `postmaster.pid` tells when the server is ready.
const OLDEST_MAJOR: u32 = 10;

/// Where packages put the binaries: a directory, the beginning of the names in it that
/// stand for versions (each such entry is tried), and the way on from there.
const VERSIONED_PLACES: [(&str, &str, &str); 6] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// Where packages and builds of a single version put them.
const PLAIN_PLACES: [&str; 4] =
    ["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin", "/opt/homebrew/bin"];

/// The release of a PostgreSQL server, such as 15.12; ordered by age.
///
/// A beta has the minor number 0. Displays as the numbers alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion {
    major: u32,
    minor: u32,
}

impl ServerVersion {
    /// The number that changes once a year, such as 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The number behind it, such as 12.
    pub fn minor(&self) -> u32 {
        self.minor
    }

    /// Reads what `postgres --version` says: `postgres (PostgreSQL) 15.12 (Debian …)`.
    fn from_banner(banner: &str) -> Option<Self> {
        let (_, release) = banner.split_once("(PostgreSQL) ")?;
        let (major, rest) = leading_number(release)?;
        let minor = rest.strip_prefix('.').and_then(leading_number);
        Some(Self { major, minor: minor.map_or(0, |(minor, _)| minor) })
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    Some((digits.parse().ok()?, rest))
}

/// A directory that holds `initdb` and `postgres`, and which release they are.
///
/// The server's account has run `postgres` from it once. The path has no links in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    dir: PathBuf,
    banner: String,
    version: ServerVersion,
}

impl Binaries {
    /// The directory that was asked for, or else the newest release of all that we find.
    pub(super) fn find(options: &Options, owner: &Owner) -> Result<Self, EphemeralError> {
        if let Some(dir) = &options.pg_bin {
            return Self::at(dir, owner)
                .map_err(|problem| EphemeralError::UnusableBinaries { dir: dir.clone(), problem });
        }
        let dirs = search_path(options.path.as_deref(), owner).into_iter().chain(usual_places());
        Self::newest(dirs, owner)
    }

    /// The newest of those that work; if none does, the error says why the first does not.
    fn newest(dirs: impl Iterator<Item = PathBuf>, owner: &Owner) -> Result<Self, EphemeralError> {
        let real: BTreeSet<PathBuf> = dirs.filter_map(|dir| real_dir(&dir)).collect();
        let mut error = None;
        real.into_iter()
            .filter_map(|dir| match Self::at(&dir, owner) {
                Ok(binaries) => Some(binaries),
                Err(problem) => {
                    error.get_or_insert(EphemeralError::UnusableBinaries { dir, problem });
                    None
                }
            })
            .max_by(|a, b| a.version.cmp(&b.version))
            .ok_or_else(|| error.unwrap_or_else(not_installed))
    }

    /// Looks at one directory; the error is a fragment that says what is wrong with it.
    fn at(dir: &Path, owner: &Owner) -> Result<Self, String> {
        let dir = real_dir(dir).ok_or("it does not hold both `initdb` and `postgres`")?;
        let output = owner::run(owner.command(dir.join("postgres")).arg("--version"))
            .map_err(|error| with_source(&error))?;
        let banner = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let version = ServerVersion::from_banner(&banner)
            .ok_or_else(|| format!("`postgres --version` says `{banner}`"))?;
        if version.major < OLDEST_MAJOR {
            return Err(format!("{version} is older than {OLDEST_MAJOR}"));
        }
        Ok(Self { dir, banner, version })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(super) fn version(&self) -> &ServerVersion {
        &self.version
    }

    /// The whole line that `postgres --version` says, which tells builds apart too.
    pub(super) fn banner(&self) -> &str {
        &self.banner
    }
}

fn with_source(error: &EphemeralError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The directory that `initdb` in `dir` is a link into, if `postgres` lies there as well.
fn real_dir(dir: &Path) -> Option<PathBuf> {
    let initdb = dir.join("initdb").canonicalize().ok()?;
    let real = initdb.parent()?;
    real.join("postgres").is_file().then(|| real.to_owned())
}

/// The directories of the search path, and the one that the first `pg_config` there names.
fn search_path(path: Option<&OsStr>, owner: &Owner) -> Vec<PathBuf> {
    let mut dirs: Vec<_> = path.into_iter().flat_map(std::env::split_paths).collect();
    let pg_config = dirs
        .iter()
        .map(|dir| dir.join("pg_config"))
        .find(|program| program.is_absolute() && program.is_file());
    let answer = pg_config.and_then(|it| owner::run(owner.command(it).arg("--bindir")).ok());
    dirs.extend(answer.map(|it| PathBuf::from(String::from_utf8_lossy(&it.stdout).trim())));
    dirs.retain(|dir| dir.is_absolute());
    dirs
}

fn usual_places() -> impl Iterator<Item = PathBuf> {
    VERSIONED_PLACES
        .into_iter()
        .flat_map(|(dir, prefix, rest)| versions_in(Path::new(dir), prefix, rest))
        .chain(PLAIN_PLACES.into_iter().map(PathBuf::from))
}

fn versions_in(dir: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(rest))
        .collect()
}

fn not_installed() -> EphemeralError {
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    EphemeralError::NotInstalled { install: how_to_install(&os_release) }
}

/// What to do about a missing server, from the text of `/etc/os-release`.
fn how_to_install(os_release: &str) -> &'static str {
    if cfg!(target_os = "macos") {
        return "install it with `brew install postgresql@17`";
    }
    system_names(os_release)
        .find_map(|name| match name {
            "debian" | "ubuntu" => Some("install it with `apt-get install postgresql`"),
            "fedora" | "rhel" | "centos" => {
                Some("install it with `dnf install postgresql-server postgresql-contrib`")
            }
            "alpine" => Some("install it with `apk add postgresql postgresql-contrib`"),
            "arch" => Some("install it with `pacman -S postgresql`"),
            "suse" | "opensuse" => Some("install it with `zypper install postgresql-server`"),
            _ => None,
        })
        .unwrap_or("install the PostgreSQL server with this system's package manager")
}

/// The system's own name, then the names of those it descends from, nearest first.
fn system_names(os_release: &str) -> impl Iterator<Item = &str> {
    ["ID=", "ID_LIKE="].into_iter().flat_map(move |key| {
        os_release
            .lines()
            .filter_map(move |line| line.strip_prefix(key))
            .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    /// A directory of fake installations that every account can run.
    fn installations() -> TempDir {
        let mode = Permissions::from_mode(0o755);
        let dir = tempfile::Builder::new().permissions(mode).tempdir_in("/tmp");
        dir.unwrap()
    }

    /// Written by a process of its own: a file that we have open for writing while
    /// another test forks is busy when it is to be run.
    fn program(path: &Path, says: &str) {
        let write = r#"printf '#!/bin/sh\necho "%s"\n' "$1" >"$0" && chmod 755 "$0""#;
        let mut sh = Command::new("sh");
        let status = sh.args(["-c", write]).arg(path).arg(says).status();
        assert!(status.unwrap().success());
    }

    fn install(root: &Path, name: &str, version: &str) -> PathBuf {
        let dir = root.join(name);
        create_dir(&dir).unwrap();
        set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        program(&dir.join("initdb"), "");
        let banner = format!("postgres (PostgreSQL) {version}");
        program(&dir.join("postgres"), &banner);
        dir
    }

    #[test]
    fn a_banner_names_the_release() {
        let cases = [
            ("postgres (PostgreSQL) 15.12 (Debian 15.12-0+deb12u2)", Some((15, 12))),
            ("postgres (PostgreSQL) 17.0", Some((17, 0))),
            ("postgres (PostgreSQL) 18beta1", Some((18, 0))),
            ("postgres (PostgreSQL) 19devel", Some((19, 0))),
            ("postgres (PostgreSQL) 9.6.24", Some((9, 6))),
            ("postgres (EnterpriseDB) 15", None),
            ("", None),
        ];
        for (banner, expected) in cases {
            let expected = expected.map(|(major, minor)| ServerVersion { major, minor });
            assert_eq!(ServerVersion::from_banner(banner), expected, "{banner}");
        }
    }

    #[test]
    fn the_newest_release_wins_and_links_are_followed() {
        let owner = Owner::find().unwrap();
        let root = installations();
        let nine = install(root.path(), "pg9", "9.6.1");
        let ten = install(root.path(), "pg10", "10.2");
        let links = root.path().join("links");
        create_dir(&links).unwrap();
        symlink(ten.join("initdb"), links.join("initdb")).unwrap();

        let found = Binaries::newest([links.clone(), nine].into_iter(), &owner).unwrap();
        assert_eq!(found.dir(), ten);
        assert_eq!(found.version().to_string(), "10.2");

        let more = install(root.path(), "pg10.10", "10.10");
        let found = Binaries::newest([more.clone(), links].into_iter(), &owner).unwrap();
        assert_eq!(found.dir(), more);
    }

    #[test]
    fn without_a_usable_release_the_error_says_what_there_is() {
        let owner = Owner::find().unwrap();
        let root = installations();
        let old = install(root.path(), "old", "9.6.1");
        let error = Binaries::newest([old].into_iter(), &owner).unwrap_err();
        assert!(error.to_string().ends_with("9.6 is older than 10"), "{error}");

        let nothing = [root.path().to_owned()].into_iter();
        let error = Binaries::newest(nothing, &owner).unwrap_err();
        assert!(matches!(error, EphemeralError::NotInstalled { .. }), "{error}");
    }

    #[test]
    fn a_named_directory_is_taken_or_refused_with_the_reason() {
        let owner = Owner::find().unwrap();
        let root = installations();
        let old = install(root.path(), "old", "9.6.1");
        let odd = install(root.path(), "odd", "?");
        let cases = [
            (root.path().to_owned(), "it does not hold both `initdb` and `postgres`"),
            (old, "9.6 is older than 10"),
            (odd, "`postgres --version` says `postgres (PostgreSQL) ?`"),
        ];
        for (dir, expected) in cases {
            let options = Options { pg_bin: Some(dir.clone()), ..Options::default() };
            let error = Binaries::find(&options, &owner).unwrap_err();
            let prefix = format!("`{}` holds no usable PostgreSQL server: ", dir.display());
            assert_eq!(error.to_string(), prefix + expected);
        }
    }

    #[test]
    fn pg_config_on_the_search_path_names_a_directory() {
        let owner = Owner::find().unwrap();
        let root = installations();
        program(&root.path().join("pg_config"), "/opt/odd/bin");
        let path = std::env::join_paths([Path::new("relative"), root.path()]).unwrap();
        let dirs = search_path(Some(&path), &owner);
        assert_eq!(dirs, [root.path(), Path::new("/opt/odd/bin")]);
    }

    #[test]
    fn versions_are_found_by_the_beginning_of_their_names() {
        let root = installations();
        for name in ["pgsql-15", "pgsql-17", "python"] {
            create_dir(root.path().join(name)).unwrap();
        }
        let mut found = versions_in(root.path(), "pgsql-", "bin");
        found.sort();
        let expected = ["pgsql-15/bin", "pgsql-17/bin"].map(|it| root.path().join(it));
        assert_eq!(found, expected);
        assert_eq!(versions_in(Path::new("/nowhere"), "", "bin"), [""; 0].map(PathBuf::from));
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn the_advice_fits_the_system() {
        let cases = [
            ("ID=debian\n", "apt-get install postgresql`"),
            ("NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt-get install postgresql`"),
            ("ID=fedora\n", "dnf install postgresql-server postgresql-contrib`"),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf install postgresql-server"),
            ("ID=alpine\n", "apk add postgresql"),
            ("ID=manjaro\nID_LIKE=arch\n", "pacman -S postgresql`"),
            ("ID=opensuse-leap\nID_LIKE='suse opensuse'\n", "zypper install"),
            ("VERSION_ID=debian\n", "package manager"),
            ("", "package manager"),
        ];
        for (os_release, expected) in cases {
            let advice = how_to_install(os_release);
            assert!(advice.contains(expected), "{os_release}: {advice}");
        }
    }
}
