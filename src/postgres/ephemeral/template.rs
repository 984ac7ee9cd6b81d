//! Filling data directories: `initdb` once, then copies.
//!
//! `initdb` takes half a second of computing, a copy of what it made a thirtieth of
//! that. So the first one is kept as a template in a cache directory, one for each
//! build of the binaries:
//!
//! ```text
//! CACHE/          ours alone: nobody else can plant a template or swap one
//!   3f…-a0…/      "where the binaries lie" - "everything else that shapes a cluster"
//!     data/       the template; belongs to the server's account, mode 0700
//!     entries     how many files and directories `data` has
//!   new-…/        one in the making
//! ```
//!
//! A template is made aside and then renamed, so it is there whole or not at all. The
//! lock on the cache directory spares many first starts at once from making it many
//! times; it is not needed for safety. The number of entries shows when a cleaner of
//! temporary files has been at it. The cache is for speed only: whatever is wrong with
//! it, `initdb` makes the cluster in place.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use super::binaries::Binaries;
use super::owner::{self, Owner};
use super::{EphemeralError, SUPERUSER};

/// Changes whenever we make clusters in another way, so that old templates are not used.
const FORMAT: u32 = 1;

/// How a cluster is made. Reading the log of our server must not depend on a language,
/// nor its sort order on the machine, hence the locale.
const INITDB_OPTIONS: [&str; 5] =
    ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"];

/// How `cp` is asked for a copy, best way first; the last is plain POSIX.
const COPY_OPTIONS: &[&[&str]] = if cfg!(target_os = "macos") {
    &[&["-a", "-c"], &["-R", "-p"]]
} else {
    &[&["-a", "--reflink=auto"], &["-R", "-p"]]
};

/// What a new cluster is made from, and for whom.
pub(super) struct Cluster<'a> {
    pub(super) binaries: &'a Binaries,
    pub(super) owner: &'a Owner,
    /// The user's cache directory, if there is one.
    pub(super) cache_dir: Option<&'a Path>,
}

impl Cluster<'_> {
    /// Makes a cluster in `data`, which must not exist yet.
    pub(super) fn copy_to(&self, data: &Path) -> Result<(), EphemeralError> {
        for cache in self.caches().filter_map(|dir| Cache::open(&dir, self)) {
            if cache.template().is_ok_and(|it| self.copy(&it, data)) {
                return Ok(());
            }
        }
        self.initdb(data)
    }

    /// Where a cache may lie. For root the first is usually closed to the server.
    fn caches(&self) -> impl Iterator<Item = PathBuf> {
        let own = self.cache_dir.map(|dir| dir.join("migraph/ephemeral"));
        let shared = format!("migraph-cache-{}", geteuid());
        own.into_iter().chain(["/var/tmp", "/tmp"].map(|dir| Path::new(dir).join(&shared)))
    }

    fn initdb(&self, data: &Path) -> Result<(), EphemeralError> {
        let mut command = self.owner.command(self.binaries.initdb());
        command.args(initdb_options(self.binaries)).args(["-U", SUPERUSER, "-D"]).arg(data);
        owner::run(&mut command).map(drop)
    }

    /// Whether a copy could be made; what a failed one leaves behind is removed.
    fn copy(&self, template: &Path, data: &Path) -> bool {
        COPY_OPTIONS.iter().any(|options| {
            let mut cp = self.owner.command("cp");
            let copied = owner::run(cp.args(*options).arg(template).arg(data)).is_ok();
            if !copied {
                let _ = owner::run(self.owner.command("rm").arg("-rf").arg(data));
            }
            copied
        })
    }
}

fn initdb_options(binaries: &Binaries) -> impl Iterator<Item = &'static str> {
    let since_14 = binaries.version().major() >= 14;
    INITDB_OPTIONS.into_iter().filter(move |option| since_14 || *option != "--no-instructions")
}

/// A directory of templates that nobody else can write to.
struct Cache<'a> {
    dir: PathBuf,
    cluster: &'a Cluster<'a>,
}

impl<'a> Cache<'a> {
    /// Opens or makes the cache at `dir`; none if it is not ours alone, or of no use.
    fn open(dir: &Path, cluster: &'a Cluster<'a>) -> Option<Self> {
        let parent = dir.parent()?;
        if !dir.is_absolute() || !cluster.owner.reaches(parent) {
            return None;
        }
        fs::create_dir_all(parent).ok()?;
        let mode = if cluster.owner.is_other() { 0o711 } else { 0o700 };
        if DirBuilder::new().mode(0o700).create(dir).is_ok() {
            // Not left to `create`: our umask may hide it from the server's account.
            fs::set_permissions(dir, Permissions::from_mode(mode)).ok()?;
        }
        let usable = is_safe_dir(dir, geteuid().as_raw()) && cluster.owner.reaches(dir);
        usable.then(|| Self { dir: dir.to_owned(), cluster })
    }

    /// The template's data directory, made now if need be.
    fn template(&self) -> Result<PathBuf, EphemeralError> {
        if let Some(data) = self.valid_template() {
            return Ok(data);
        }
        // Held until the end of this function, and never by a child.
        let lock = File::open(&self.dir).map_err(EphemeralError::io("open", &self.dir))?;
        lock.lock().map_err(EphemeralError::io("lock", &self.dir))?;
        if let Some(data) = self.valid_template() {
            return Ok(data);
        }
        self.clean_up();
        self.make_template().map_err(EphemeralError::io("make a template in", &self.dir))??;
        self.valid_template()
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
            .map_err(EphemeralError::io("use the template in", &self.dir))
    }

    fn make_template(&self) -> io::Result<Result<(), EphemeralError>> {
        let new = tempfile::Builder::new().prefix("new-").tempdir_in(&self.dir)?;
        fs::set_permissions(new.path(), Permissions::from_mode(0o711))?;
        let data = new.path().join("data");
        DirBuilder::new().mode(0o700).create(&data)?;
        let made = self.cluster.owner.take_over(&data).and_then(|()| self.cluster.initdb(&data));
        if made.is_ok() {
            fs::write(new.path().join("entries"), count_entries(&data).to_string())?;
            // If somebody without the lock was faster, theirs is as good.
            let _ = fs::rename(new.path(), self.dir.join(self.key()));
        }
        Ok(made)
    }

    /// The template's data directory if it is complete, unspoilt and of the right release.
    fn valid_template(&self) -> Option<PathBuf> {
        let dir = self.dir.join(self.key());
        let data = dir.join("data");
        let owner = self.cluster.owner.uid();
        if !is_safe_dir(&dir, geteuid().as_raw()) || !is_safe_dir(&data, owner) {
            return None;
        }
        let closed = data.metadata().ok()?.mode() & 0o777 == 0o700;
        let release = fs::read_to_string(data.join("PG_VERSION")).ok()?;
        let entries = fs::read_to_string(dir.join("entries")).ok()?;
        let valid = closed
            && release.trim() == self.cluster.binaries.version().major().to_string()
            && entries == count_entries(&data).to_string();
        valid.then_some(data)
    }

    /// Removes what is in the way of a new template: a spoilt one, those of releases
    /// that the same binaries had before an update, and what dead makers left. Only for
    /// the holder of the lock: nobody else is making one.
    fn clean_up(&self) {
        let same_binaries = short_hash(&[&self.cluster.binaries.dir().to_string_lossy()]);
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("new-") || name.starts_with(&same_binaries) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// The template's name: equal for clusters that are interchangeable.
    fn key(&self) -> String {
        let binaries = self.cluster.binaries;
        let options: Vec<_> = initdb_options(binaries).collect();
        let place = short_hash(&[&binaries.dir().to_string_lossy()]);
        let shape = short_hash(&[
            &FORMAT.to_string(),
            binaries.banner(),
            &options.join(" "),
            &self.cluster.owner.uid().to_string(),
        ]);
        format!("{place}-{shape}")
    }
}

/// Whether `dir` is a directory, no link to one, that only the user `uid` can change.
fn is_safe_dir(dir: &Path, uid: u32) -> bool {
    dir.symlink_metadata().is_ok_and(|it| it.is_dir() && it.uid() == uid && it.mode() & 0o022 == 0)
}

fn count_entries(dir: &Path) -> usize {
    WalkDir::new(dir).into_iter().count()
}

/// The first 16 hex digits of a SHA-256 over `parts`.
fn short_hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    digest.finalize().iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::super::Options;
    use super::*;

    /// A place that the server's account can enter, for caches and clusters.
    fn place() -> TempDir {
        let mode = Permissions::from_mode(0o777);
        let dir = tempfile::Builder::new().permissions(mode).tempdir_in("/tmp").unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        dir
    }

    fn installed() -> (Binaries, Owner) {
        let owner = Owner::find().unwrap();
        (Binaries::find(&Options::default(), &owner).unwrap(), owner)
    }

    #[test]
    fn a_template_is_made_once_and_again_when_it_is_spoilt() {
        let (binaries, owner) = installed();
        let place = place();
        let cluster = Cluster { binaries: &binaries, owner: &owner, cache_dir: None };
        let cache = Cache::open(&place.path().join("cache"), &cluster).unwrap();
        let stale = cache.dir.join("new-stale");
        fs::create_dir(&stale).unwrap();

        let template = cache.template().unwrap();
        let made = || template.metadata().unwrap().ino();
        let first = made();
        assert!(!stale.exists());
        assert_eq!(cache.template().unwrap(), template);
        assert_eq!(made(), first);

        // What a cleaner of temporary files does to it.
        fs::remove_dir(template.join("pg_notify")).unwrap();
        assert_eq!(cache.template().unwrap(), template);
        assert!(template.join("pg_notify").exists());
        fs::set_permissions(&template, Permissions::from_mode(0o750)).unwrap();
        assert_eq!(cache.valid_template(), None);
        fs::set_permissions(&template, Permissions::from_mode(0o700)).unwrap();
        fs::write(template.join("PG_VERSION"), "9.6\n").unwrap();
        assert_eq!(cache.valid_template(), None);
    }

    #[test]
    fn a_cache_that_others_can_change_is_not_used() {
        let (binaries, owner) = installed();
        let place = place();
        let cluster = Cluster { binaries: &binaries, owner: &owner, cache_dir: None };
        let planted = place.path().join("planted");
        fs::create_dir(&planted).unwrap();
        fs::set_permissions(&planted, Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::open(&planted, &cluster).is_none());

        fs::set_permissions(&planted, Permissions::from_mode(0o711)).unwrap();
        assert!(Cache::open(&planted, &cluster).is_some());
        let link = place.path().join("link");
        symlink(&planted, &link).unwrap();
        assert!(Cache::open(&link, &cluster).is_none());
        if owner.is_other() {
            owner.take_over(&planted).unwrap();
            assert!(Cache::open(&planted, &cluster).is_none());
        }
    }

    #[test]
    fn without_a_usable_cache_directory_there_is_still_a_cluster() {
        let (binaries, owner) = installed();
        let place = place();
        let cluster =
            Cluster { binaries: &binaries, owner: &owner, cache_dir: Some(Path::new("/dev/null")) };
        let data = place.path().join("data");
        cluster.copy_to(&data).unwrap();
        let again = cluster.initdb(&data).unwrap_err();
        assert!(again.to_string().contains("exists but is not empty"), "{again}");
    }

    #[test]
    fn a_hash_keeps_its_parts_apart() {
        assert_ne!(short_hash(&["a", "b"]), short_hash(&["ab"]));
        assert_eq!(short_hash(&["a", "b"]).len(), 16);
    }
}
