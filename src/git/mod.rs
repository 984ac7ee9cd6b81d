//! What another branch has done to the migrations since this one left it.
//!
//! Asked of the `git` program: it knows every kind of repository, worktree and
//! partial clone. Nothing is written, and nothing is fetched but what git itself
//! fetches for a partial clone.

mod program;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use program::Git;
use tree::{Entry, Tree};

/// Why two branches cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git`.
    #[error("cannot run `git`: {0}")]
    Missing(std::io::Error),
    /// The directory is in no repository, or git will not look at it.
    #[error("`{}` is in no git repository that can be read: {reason}", dir.display())]
    NoRepository {
        /// The migrations directory.
        dir: PathBuf,
        /// What git says.
        reason: String,
    },
    /// There is no such commit.
    #[error("git knows no commit `{0}`")]
    UnknownRef(String),
    /// Nothing is committed on this branch.
    #[error("nothing is committed on this branch yet")]
    NoCommit,
    /// The branches have no common commit, as far as git can see.
    #[error("this branch and `{base}` have no common commit{}", if *shallow { " in this shallow clone" } else { "" })]
    NoMergeBase {
        /// The other branch.
        base: String,
        /// The history is cut off.
        shallow: bool,
    },
    /// Anything else.
    #[error("`git {command}` failed: {reason}")]
    Failed {
        /// What was asked.
        command: String,
        /// What git says.
        reason: String,
    },
}

impl GitError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Missing(_) => "`--base` needs the program `git` on the search path".to_owned(),
            Self::NoRepository { .. } => {
                "`--base` compares branches of the repository that the migrations are in".to_owned()
            }
            Self::UnknownRef(base) if base.is_empty() || base.ends_with('/') => {
                "name a branch, a tag or a commit, such as `origin/main`".to_owned()
            }
            Self::UnknownRef(base) => {
                let name = base.rsplit('/').next().unwrap_or(base);
                format!(
                    "fetch it first, such as with `git fetch origin {name}`, and name it as git does: `origin/{name}`"
                )
            }
            Self::NoCommit => "commit something first".to_owned(),
            Self::NoMergeBase { shallow: true, .. } => {
                "fetch the whole history: `git fetch --unshallow`, or `fetch-depth: 0` in GitHub's checkout".to_owned()
            }
            Self::NoMergeBase { .. } | Self::Failed { .. } => String::new(),
        }
    }
}

/// A migration on the other branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    /// The file's stem.
    pub id: String,
    /// Where it is below the migrations directory.
    pub relative: PathBuf,
    /// How it is shown: the branch, a colon and the path in the repository, as git
    /// writes it.
    pub shown: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What has happened since the branches parted, by ids: a file that has only moved
/// is the same migration.
#[derive(Debug)]
pub struct Comparison {
    /// The other branch, as it was named.
    pub base: String,
    /// The ids that were there when they parted.
    pub before: BTreeSet<String>,
    /// What is new on the other branch.
    pub added: Vec<Theirs>,
    /// What the other branch has changed, each with what it was.
    pub changed: Vec<(Theirs, Vec<u8>)>,
    /// The ids that are gone from the other branch.
    pub removed: BTreeSet<String>,
}

/// Compares the migrations in `dir`, whose ids are `ours`, with those on `base`.
pub fn compare(dir: &Path, base: &str, ours: &BTreeSet<String>) -> Result<Comparison, GitError> {
    let git = Git::at(dir)?;
    let head = git.commit("HEAD")?.ok_or(GitError::NoCommit)?;
    let theirs = git.commit(base)?.ok_or_else(|| GitError::UnknownRef(base.to_owned()))?;
    let Some(parted) = git.merge_base(&head, &theirs)? else {
        return Err(GitError::NoMergeBase { base: base.to_owned(), shallow: git.is_shallow()? });
    };
    let prefix = git.prefix()?;
    let before = Tree::read(&git, &parted, &prefix, ours)?;
    let now = Tree::read(&git, &theirs, &prefix, ours)?;
    let (changed, added): (Vec<_>, Vec<_>) = now
        .entries
        .iter()
        .filter(|(id, entry)| before.entries.get(*id).is_none_or(|it| it.object != entry.object))
        .partition(|(id, _)| before.entries.contains_key(*id));
    let old = changed.iter().filter_map(|(id, _)| before.entries.get(*id));
    let wanted = added.iter().chain(&changed).map(|(_, entry)| *entry).chain(old);
    let blobs = git.blobs(wanted.map(|entry| entry.object.as_str()))?;
    let read = |(id, entry): &(&String, &Entry)| theirs_of(base, id, entry, &blobs);
    Ok(Comparison {
        base: base.to_owned(),
        added: added.iter().map(read).collect(),
        changed: changed
            .iter()
            .map(|one| {
                let old = before.entries.get(one.0).map(|entry| blob(&blobs, entry));
                (read(one), old.unwrap_or_default())
            })
            .collect(),
        removed: before
            .entries
            .keys()
            .filter(|id| !now.entries.contains_key(*id))
            .cloned()
            .collect(),
        before: before.entries.into_keys().collect(),
    })
}

fn theirs_of(base: &str, id: &str, entry: &Entry, blobs: &BTreeMap<String, Vec<u8>>) -> Theirs {
    // Without a directory, the branch would be a part of the file's name, and so of its id.
    let root = if entry.path.contains('/') { "" } else { "./" };
    Theirs {
        id: id.to_owned(),
        relative: PathBuf::from(&entry.relative),
        shown: PathBuf::from(format!("{base}:{root}{}", entry.path)),
        bytes: blob(blobs, entry),
    }
}

fn blob(blobs: &BTreeMap<String, Vec<u8>>, entry: &Entry) -> Vec<u8> {
    blobs.get(&entry.object).cloned().unwrap_or_default()
}
