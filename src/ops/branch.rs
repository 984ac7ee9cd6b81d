//! `validate --base`: two branches that are each fine, and do not fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::validate::conflicts;
use crate::analyse::{Analysis, findings};
use crate::git::{Comparison, Theirs};
use crate::graph;
use crate::load::Loaded;
use crate::model::{Code, Diagnostic, Diagnostics, Place};
use crate::parse::{self, Depth, ParsedFile, Unlisted};
use crate::syntax::on_large_stack;

/// What a merge with the other branch would bring about.
#[derive(Debug, Default)]
pub struct BranchReport {
    /// What does not fit together.
    pub found: Diagnostics,
    /// The files of the migrations that only this branch has.
    pub new_here: BTreeSet<PathBuf>,
}

/// Lays the migrations of both branches together, as a merge would, and says what
/// only then goes wrong. `loaded` is the directory `dir` of this branch, which is
/// fine by itself.
pub fn branch(
    loaded: &Loaded,
    dir: &Path,
    comparison: &Comparison,
    unlisted: Unlisted,
) -> BranchReport {
    let merge = Merge::new(loaded, dir, comparison);
    let mut found = merge.twice();
    if !merge.theirs.is_empty() || !comparison.removed.is_empty() {
        found.extend(merge.analyse(unlisted));
    }
    BranchReport { found, new_here: merge.new_here }
}

struct Merge<'a> {
    loaded: &'a Loaded,
    dir: &'a Path,
    comparison: &'a Comparison,
    /// The files of this branch that it alone has.
    new_here: BTreeSet<PathBuf>,
    /// What comes from the other branch, by id.
    theirs: BTreeMap<&'a str, &'a Theirs>,
    /// Ids that both branches have added, each in its own way.
    twice: Vec<&'a Theirs>,
    /// Ids that were there and that only the other branch still has.
    gone_here: BTreeSet<&'a str>,
}

impl<'a> Merge<'a> {
    fn new(loaded: &'a Loaded, dir: &'a Path, comparison: &'a Comparison) -> Self {
        let mut merge = Self {
            loaded,
            dir,
            comparison,
            new_here: BTreeSet::new(),
            theirs: BTreeMap::new(),
            twice: Vec::new(),
            gone_here: BTreeSet::new(),
        };
        for (id, path, _) in merge.ours() {
            if !comparison.before.contains(id) {
                merge.new_here.insert(path.to_owned());
            }
        }
        let texts: BTreeMap<&str, &str> = merge.ours().map(|(id, _, text)| (id, text)).collect();
        let before = comparison.before.difference(&comparison.removed).map(String::as_str);
        merge.gone_here = before.filter(|id| !texts.contains_key(id)).collect();
        for one in &comparison.added {
            match texts.get(one.id.as_str()) {
                None => drop(merge.theirs.insert(&one.id, one)),
                Some(text) if is_same(text, &one.bytes) => {}
                Some(_) => merge.twice.push(one),
            }
        }
        for (one, old) in &comparison.changed {
            // What both have changed, git will ask about.
            if texts.get(one.id.as_str()).is_some_and(|text| is_same(text, old)) {
                merge.theirs.insert(&one.id, one);
            }
        }
        merge
    }

    /// Id, path and text of each migration of this branch.
    fn ours(&self) -> impl Iterator<Item = (&'a str, &'a Path, &'a str)> + use<'a> {
        let graph = &self.loaded.graph;
        graph.nodes().map(|node| {
            let migration = graph.migration(node);
            (migration.id.as_str(), migration.source.path(), migration.source.text())
        })
    }

    fn twice(&self) -> Diagnostics {
        let problem = |one: &&Theirs| {
            let node = self.loaded.graph.node(&one.id.parse().ok()?)?;
            let message = format!("`{}` has another `{}`", self.comparison.base, one.id);
            let place = Place::file(&self.loaded.graph.migration(node).source);
            let problem = Diagnostic::error(Code::BranchConflict, message).at(place);
            Some(
                problem
                    .help(format!("rename one of the two: the other is `{}`", one.shown.display())),
            )
        };
        self.twice.iter().filter_map(problem).collect()
    }

    /// The files that a merge leaves, parsed, in the order of their paths.
    fn files(&self) -> Vec<ParsedFile> {
        let is_kept =
            |id: &str| !self.theirs.contains_key(id) && !self.comparison.removed.contains(id);
        let ours = self.ours().filter(|(id, ..)| is_kept(id)).map(|(_, path, text)| {
            let relative = path.strip_prefix(self.dir).unwrap_or(path);
            (relative, path.to_owned(), text.as_bytes())
        });
        let theirs = self
            .theirs
            .values()
            .map(|one| (one.relative.as_path(), one.shown.clone(), one.bytes.as_slice()));
        let mut files: Vec<_> = ours.chain(theirs).collect();
        files.sort();
        on_large_stack(|| {
            let parsed = files
                .into_par_iter()
                .map(|(_, path, bytes)| parse::parse(path, bytes.to_vec(), Depth::Meaning));
            parsed.collect()
        })
    }

    fn analyse(&self, unlisted: Unlisted) -> Diagnostics {
        let set = parse::settle(self.files(), unlisted);
        let graph = match graph::build(set.migrations, &set.broken) {
            Ok(graph) => graph,
            Err(mut problems) => {
                // What is wrong over there alone is not for this branch to mend.
                problems.retain(|one| {
                    has_place(one, |path| !self.is_theirs(path)) || self.missed_here(one).is_some()
                });
                if problems.is_empty() {
                    problems.push(broken_over_there());
                }
                return problems.into_iter().map(|one| self.retold(one)).collect();
            }
        };
        let analysis = Analysis::new(&graph, set.readings);
        let mut found = findings(&graph, &analysis);
        found.extend(conflicts(&graph, &analysis));
        found.retain(|one| {
            has_place(one, |path| self.new_here.contains(path))
                && has_place(one, |path| self.is_theirs(path))
        });
        found.into_iter().map(|one| self.retold(one)).collect()
    }

    /// The migration that a problem misses because this branch no longer has it.
    fn missed_here(&self, problem: &Diagnostic) -> Option<&'a str> {
        let is_unknown = problem.code == Code::UnknownDependency;
        let mut gone = self.gone_here.iter().copied().filter(|_| is_unknown);
        gone.find(|id| names(&problem.message, id))
    }

    fn is_theirs(&self, path: &Path) -> bool {
        self.theirs.values().any(|one| one.shown == path)
    }

    /// As a finding about this branch: at a file of it.
    fn retold(&self, mut one: Diagnostic) -> Diagnostic {
        let base = &self.comparison.base;
        let is_ours = |place: &Place| !self.is_theirs(place.source.path());
        let first_ours = one.related.iter().position(is_ours);
        match (&mut one.place, first_ours) {
            (Some(place), Some(at)) if !is_ours(place) => {
                std::mem::swap(place, &mut one.related[at]);
                // It says what to write over there.
                one.help.clear();
            }
            _ => {}
        }
        if one.code == Code::UndeclaredDependency {
            one = one.help(format!(
                "merge `{base}`, and then let one depend on the other: mostly this branch's on what is there, which may be applied already"
            ));
        }
        let gone = self.comparison.removed.iter();
        let missed = gone.filter(|id| names(&one.message, id));
        one.help.extend(missed.map(|id| format!("`{base}` has renamed or removed `{id}`")));
        if let Some(id) = self.missed_here(&one) {
            // A like name is no advice: the id was right over there.
            one.help = vec![format!(
                "this branch has renamed or removed `{id}`, which `{base}` needs: undo that, or merge `{base}` and adapt what it has added"
            )];
        }
        let message = format!("once `{base}` is merged: {}", one.message);
        Diagnostic { code: Code::BranchConflict, message, ..one }
    }
}

fn has_place(one: &Diagnostic, wanted: impl Fn(&Path) -> bool) -> bool {
    let mut places = one.place.iter().chain(&one.related);
    places.any(|place| wanted(place.source.path()))
}

fn names(message: &str, id: &str) -> bool {
    message.contains(&format!("`{id}`"))
}

fn broken_over_there() -> Diagnostic {
    let message = "its own migrations have errors, so nothing can be said";
    Diagnostic::warning(Code::BranchConflict, message).help("`migraph validate` there tells which")
}

/// True when a file's bytes are this text, whatever its line ends.
fn is_same(text: &str, bytes: &[u8]) -> bool {
    parse::source(PathBuf::new(), bytes.to_vec()).is_ok_and(|source| source.text() == text)
}
