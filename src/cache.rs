//! What was read of scripts, kept from one run to the next.
//!
//! One file for each migrations directory, in `migraph/readings` of the user's cache
//! directory:
//!
//! ```text
//! MAGIC, BUILD, entries, SHA-256 of all before
//! an entry: SHA-256 of the script, the length of what follows in 32 bits, readings
//! ```
//!
//! It holds only scripts that were valid. It can be deleted at any time. A file that is
//! damaged, or that another build of the program wrote, is as good as none.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::model::Checksum;
use crate::parse::{Memory, Purpose};
use crate::sql::Reading;

/// Smaller directories are read in a moment, and leave no file behind.
pub const MIN_FILES: usize = 200;

/// What nobody has used for so long is removed: its directory may be gone.
const MAX_AGE: Duration = Duration::from_hours(30 * 24);

/// A file that was not finished by then never will be: its run was killed.
const MAX_AGE_OF_HALF: Duration = Duration::from_hours(1);

/// No file is larger: half a kilobyte for each of a million scripts. What has no place is
/// read anew each time.
const MAX_BYTES: usize = 1 << 29;

/// What an entry's frame and the sum at the end take at most.
const ROOM: usize = 256;

const MAGIC: &[u8] = b"migraph readings 1\n";

/// Tells this build of the program from every other: two of one version may differ.
const BUILD: &[u8] =
    concat!(env!("CARGO_PKG_VERSION"), " ", env!("MIGRAPH_SOURCES"), "\n").as_bytes();

const DIGEST_BYTES: usize = 32;

/// A SHA-256.
type Digest = [u8; DIGEST_BYTES];

/// A user's cache directory.
#[derive(Clone, Debug)]
pub struct Caches {
    /// Where it is.
    pub dir: PathBuf,
    /// The user's number: what belongs to anybody else is not believed.
    pub owner: u32,
}

/// The cache of one migrations directory.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    /// The file, as it was found.
    bytes: Vec<u8>,
    /// Where in it the readings of each script are.
    index: FxHashMap<Digest, Range<usize>>,
    /// What this run has asked for: it will be asked for again.
    used: Mutex<BTreeMap<Digest, Readings>>,
}

/// Readings as they are stored.
#[derive(Debug)]
enum Readings {
    /// Here in the file.
    Known(Range<usize>),
    /// Made by this run.
    New(Vec<u8>),
}

impl Cache {
    /// That of the migrations directory `dir`; `None` when there is no such directory to
    /// read.
    pub fn of(dir: &Path, caches: &Caches) -> Option<Self> {
        let home = caches.dir.join("migraph/readings");
        let dir = fs::canonicalize(dir).ok()?;
        let name = Checksum::new(Sha256::digest(dir.as_os_str().as_encoded_bytes()).into());
        Some(Self::at(home.join(name.to_hex()), caches.owner))
    }

    /// That in the file at `path`.
    fn at(path: PathBuf, owner: u32) -> Self {
        let readable = is_file(&path) && is_private(&path, owner);
        let bytes = if readable { fs::read(&path).unwrap_or_default() } else { Vec::new() };
        let index = index(&bytes).unwrap_or_default();
        Self { path, bytes, index, used: Mutex::default() }
    }

    /// Keeps for the next run what this one has asked for. Nothing depends on that: a
    /// failure is the user's to see only as a run that takes longer.
    pub fn save(self) -> io::Result<()> {
        let used = self.used.into_inner().unwrap_or_else(PoisonError::into_inner);
        if used.values().all(|it| matches!(it, Readings::Known(_))) {
            return Ok(());
        }
        let mut file = [MAGIC, BUILD].concat();
        for (script, readings) in &used {
            let readings = match readings {
                Readings::Known(at) => &self.bytes[at.clone()],
                Readings::New(bytes) => bytes,
            };
            let Ok(length) = u32::try_from(readings.len()) else { continue };
            if file.len() + readings.len() > MAX_BYTES - ROOM {
                break;
            }
            file.extend_from_slice(script);
            file.extend_from_slice(&length.to_le_bytes());
            file.extend_from_slice(readings);
        }
        file.extend_from_slice(&Sha256::digest(&file));
        replace(&self.path, &file)
    }

    fn note(&self, script: Digest, readings: Readings) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(script, readings);
    }
}

impl Memory for Cache {
    fn recall(&self, text: &str, purpose: Purpose) -> Option<Vec<Reading>> {
        let script = digest(text, purpose);
        let at = self.index.get(&script)?;
        let readings = postcard::from_bytes(&self.bytes[at.clone()]).ok()?;
        self.note(script, Readings::Known(at.clone()));
        Some(readings)
    }

    fn remember(&self, text: &str, purpose: Purpose, readings: &[Reading]) {
        if let Ok(bytes) = postcard::to_stdvec(readings) {
            self.note(digest(text, purpose), Readings::New(bytes));
        }
    }
}

fn digest(text: &str, purpose: Purpose) -> Digest {
    let purpose = match purpose {
        Purpose::Verdict => [0],
        Purpose::Meaning => [1],
    };
    Sha256::new().chain_update(purpose).chain_update(text).finalize().into()
}

/// Where everything is in the file `bytes`, when this build of the program wrote it and
/// it is whole.
fn index(bytes: &[u8]) -> Option<FxHashMap<Digest, Range<usize>>> {
    let (body, sum) = bytes.split_last_chunk::<DIGEST_BYTES>()?;
    let entries = body.strip_prefix(MAGIC)?.strip_prefix(BUILD)?;
    if Digest::from(Sha256::digest(body)) != *sum {
        return None;
    }
    let mut index = FxHashMap::default();
    let mut rest = entries;
    while let Some((script, behind)) = rest.split_first_chunk::<DIGEST_BYTES>() {
        let (length, behind) = behind.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let start = body.len() - behind.len();
        rest = behind.get(length..)?;
        index.insert(*script, start..start + length);
    }
    Some(index)
}

/// Reading anything else might never end.
fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() <= MAX_BYTES as u64)
}

/// False where anybody but `owner` and root could put a file in our place: what it says
/// would be believed. In a sticky directory nobody can replace what is another's.
fn is_private(path: &Path, owner: u32) -> bool {
    const OTHERS_MAY_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let is_own = |path: &Path| fs::symlink_metadata(path).is_ok_and(|it| it.uid() == owner);
    let trusted = |dir: &Path| {
        fs::metadata(dir).is_ok_and(|it| {
            let closed = it.mode() & OTHERS_MAY_WRITE == 0 || it.mode() & STICKY != 0;
            closed && (it.uid() == owner || it.uid() == 0)
        })
    };
    let Some(dir) = path.parent().and_then(|dir| fs::canonicalize(dir).ok()) else { return false };
    let closed = fs::metadata(&dir).is_ok_and(|it| it.mode() & OTHERS_MAY_WRITE == 0);
    closed && is_own(path) && is_own(&dir) && dir.ancestors().all(trusted)
}

/// Another run sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    remove_old(dir);
    let mut file = NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// Removes what it can: the rest will be tried again.
fn remove_old(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|it| it.modified());
        let age = modified.ok().and_then(|it| SystemTime::now().duration_since(it).ok());
        let is_half = entry.file_name().as_encoded_bytes().starts_with(b".");
        let limit = if is_half { MAX_AGE_OF_HALF } else { MAX_AGE };
        if age.is_some_and(|it| it > limit) {
            fs::remove_file(entry.path()).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{on_large_stack, parse};

    const SCRIPT: &str = "CREATE TABLE a (id int REFERENCES b); VACUUM a; DO $$ x $$ LANGUAGE l";

    fn read(script: &str) -> Vec<Reading> {
        on_large_stack(|| crate::sql::read(&parse(script).unwrap()))
    }

    /// Who owns what is made here.
    fn me() -> u32 {
        fs::metadata(tempfile::tempdir().unwrap().path()).unwrap().uid()
    }

    fn recalled(path: &Path) -> Option<String> {
        let cache = Cache::at(path.to_owned(), me());
        cache.recall(SCRIPT, Purpose::Meaning).map(|it| format!("{it:?}"))
    }

    /// A cache in which [`SCRIPT`] is known.
    fn filled(dir: &Path) -> PathBuf {
        let path = dir.join("private/one");
        let cache = Cache::at(path.clone(), me());
        cache.remember(SCRIPT, Purpose::Meaning, &read(SCRIPT));
        cache.save().unwrap();
        path
    }

    #[test]
    fn what_was_saved_is_recalled_for_the_same_text_and_purpose_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        assert_eq!(recalled(&path), Some(format!("{:?}", read(SCRIPT))));
        let cache = Cache::at(path, me());
        assert!(cache.recall(SCRIPT, Purpose::Verdict).is_none());
        assert!(cache.recall(&format!("{SCRIPT} "), Purpose::Meaning).is_none());
    }

    #[test]
    fn what_a_run_did_not_ask_for_is_gone_when_it_has_learnt_something() {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        Cache::at(path.clone(), me()).save().unwrap();
        assert!(recalled(&path).is_some());
        let cache = Cache::at(path.clone(), me());
        cache.remember("SELECT 1", Purpose::Verdict, &[]);
        cache.save().unwrap();
        assert!(recalled(&path).is_none());
        assert!(Cache::at(path, me()).recall("SELECT 1", Purpose::Verdict).is_some());
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(recalled(&path), None, "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(recalled(&path), None, "cut at {at}");
        }
        fs::write(&path, &whole).unwrap();
        assert!(recalled(&path).is_some());
    }

    #[test]
    fn what_another_build_wrote_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        let mut other = fs::read(&path).unwrap();
        other.truncate(other.len() - DIGEST_BYTES);
        other[MAGIC.len() + BUILD.len() - 2] ^= 1;
        other.extend_from_slice(&Sha256::digest(&other));
        fs::write(&path, other).unwrap();
        assert_eq!(recalled(&path), None);
    }

    #[test]
    fn a_place_where_others_can_write_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        let parent = path.parent().unwrap();
        for open in [parent, dir.path()] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o777)).unwrap();
            assert_eq!(recalled(&path), None, "{}", open.display());
            fs::set_permissions(open, fs::Permissions::from_mode(0o700)).unwrap();
        }
        assert!(recalled(&path).is_some());
        let of_another = Cache::at(path, me() + 1);
        assert!(of_another.recall(SCRIPT, Purpose::Meaning).is_none());
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(recalled(&path), None);
        filled(dir.path());
        assert!(recalled(&path).is_some());
    }

    #[test]
    fn what_was_not_used_for_a_month_or_never_finished_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        let other = |name: &str, age: Duration| {
            let other = path.with_file_name(name);
            fs::File::create(&other).unwrap().set_modified(SystemTime::now() - age).unwrap();
            other
        };
        let (hour, day) = (Duration::from_hours(1), Duration::from_hours(24));
        let gone = [other("a", MAX_AGE + hour), other(".tmpa", day)];
        let kept = [other("b", day), other(".tmpb", Duration::from_mins(1))];
        fs::create_dir(path.with_file_name("directory")).unwrap();
        fs::remove_file(&path).unwrap();
        filled(dir.path());
        assert!(gone.iter().all(|it| !it.exists()));
        assert!(kept.iter().all(|it| it.exists()) && path.exists());
    }
}
