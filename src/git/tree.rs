//! The migrations of a commit.

use std::collections::{BTreeMap, BTreeSet};

use super::GitError;
use super::program::Git;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path in the repository.
    pub(super) path: String,
    /// Its path below the migrations directory.
    pub(super) relative: String,
    /// The name of its content.
    pub(super) object: String,
}

/// The migrations of a commit, by their ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// The migrations of `commit`: those in `prefix`, or, when there are none, those
    /// in the directory that has most of the ids of `ours`. It may have had another
    /// name then, or have it there.
    pub(super) fn read(
        git: &Git,
        commit: &str,
        prefix: &str,
        ours: &BTreeSet<String>,
    ) -> Result<Self, GitError> {
        let tree = Self::parse(&git.list(commit, prefix)?, prefix);
        if !tree.entries.is_empty() || prefix.is_empty() {
            return Ok(tree);
        }
        let all = git.list(commit, "")?;
        Ok(match likeliest_prefix(&all, ours) {
            Some(prefix) => Self::parse(&all, &prefix),
            None => Self::default(),
        })
    }

    /// The files below `prefix` in the output of `ls-tree -z`, as `load` would find
    /// them. Links are left out.
    fn parse(listing: &[u8], prefix: &str) -> Self {
        let mut tree = Self::default();
        for (object, path) in files(listing) {
            let Some(relative) = path.strip_prefix(prefix) else { continue };
            let hidden = relative.split('/').any(|part| part.starts_with('.'));
            if let Some(id) = id_of(relative).filter(|_| !hidden) {
                let (id, relative) = (id.to_owned(), relative.to_owned());
                tree.entries.insert(id, Entry { path, relative, object });
            }
        }
        tree
    }
}

/// Content and path of each regular file.
fn files(listing: &[u8]) -> impl Iterator<Item = (String, String)> {
    listing.split(|byte| *byte == 0).filter_map(|line| {
        let line = String::from_utf8_lossy(line);
        let (head, path) = line.split_once('\t')?;
        let mut head = head.split(' ');
        let regular = head.next()?.starts_with("100");
        regular.then(|| Some((head.nth(1)?.to_owned(), path.to_owned())))?
    })
}

fn id_of(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.strip_suffix(".sql").filter(|stem| !stem.is_empty())
}

/// The directory under which most of `ours` are, subdirectories counting for those
/// above them only where they have fewer.
fn likeliest_prefix(listing: &[u8], ours: &BTreeSet<String>) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, path) in files(listing) {
        if id_of(&path).is_some_and(|id| ours.contains(id)) {
            for (at, _) in path.match_indices('/') {
                *counts.entry(path[..=at].to_owned()).or_default() += 1;
            }
        }
    }
    // Of several that have as many, the deepest: the others only hold it.
    let best = |(prefix, count): &(String, usize)| (*count, prefix.len());
    counts.into_iter().max_by_key(best).map(|(prefix, _)| prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Vec<u8> {
        paths
            .iter()
            .flat_map(|path| format!("100644 blob {path}#\t{path}\0").into_bytes())
            .collect()
    }

    #[test]
    fn what_load_would_find_is_found() {
        let mut all = listing(&["m/1.sql", "m/sub/2.sql", "m/.x/3.sql", "m/4.txt", "n/5.sql"]);
        all.extend_from_slice(b"120000 blob x\tm/6.sql\x00160000 commit x\tm/7.sql\0");
        let tree = Tree::parse(&all, "m/");
        let found: Vec<_> =
            tree.entries.iter().map(|(id, it)| (id.as_str(), it.relative.as_str())).collect();
        assert_eq!(found, [("1", "1.sql"), ("2", "sub/2.sql")]);
        assert_eq!(tree.entries["1"].object, "m/1.sql#");
    }

    #[test]
    fn a_directory_of_another_name_is_found_by_its_files() {
        let ours: BTreeSet<String> = ["1", "2", "3"].map(str::to_owned).into();
        let cases: [(&[&str], Option<&str>); 4] = [
            (&["db/old/1.sql", "db/old/2.sql", "x/1.sql"], Some("db/old/")),
            (&["old/a/1.sql", "old/b/2.sql", "old/3.sql"], Some("old/")),
            (&["x/9.sql"], None),
            (&["1.sql"], None),
        ];
        for (paths, expected) in cases {
            assert_eq!(likeliest_prefix(&listing(paths), &ours).as_deref(), expected, "{paths:?}");
        }
    }
}
