//! What depends on what among imported migrations.

use std::collections::BTreeSet;

use crate::analyse::{Completion, Strictness, complete};
use crate::model::Migration;
use crate::sql::{Catalogue, Reading, read};
use crate::syntax::{on_large_stack, parse};

/// A migration of the history, without its dependencies.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The migration: id, text and scripts. Its header lists no dependency yet.
    pub migration: Migration,
    /// What the other tool was told that it needs, by position in the history. All of
    /// them stand before it.
    pub declared: BTreeSet<usize>,
}

/// How dependencies are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linking {
    /// Declared ones, and those that the SQL implies.
    #[default]
    Inferred,
    /// Declared ones only: the other tool orders by nothing else.
    Declared,
    /// Each migration depends on the one before it, and on what it declares.
    Chain,
}

/// What each migration of `history` depends on, by position: always on earlier ones.
///
/// `history` is in the order in which the other tool runs it.
pub fn dependencies(history: &[Candidate], linking: Linking) -> Vec<BTreeSet<usize>> {
    match linking {
        Linking::Declared => history.iter().map(|one| one.declared.clone()).collect(),
        Linking::Inferred => inferred(history),
        Linking::Chain => chain(history),
    }
}

/// What is declared, and what the SQL implies beside it, so that every order which
/// these permit has the history's result.
fn inferred(history: &[Candidate]) -> Vec<BTreeSet<usize>> {
    let mut catalogue = Catalogue::default();
    let footprints: Vec<_> = on_large_stack(|| {
        history.iter().map(|one| catalogue.replay(&readings(&one.migration))).collect()
    });
    let declared: Vec<_> = history.iter().map(|one| one.declared.clone()).collect();
    let completion = Completion { strictness: Strictness::Strict, keep_declared: true };
    let links = complete(&footprints, &declared, completion);
    links.into_iter().map(|links| links.into_keys().collect()).collect()
}

/// A script without a tree is one that `validate` refuses, and so is none of these.
fn readings(migration: &Migration) -> Vec<Reading> {
    let tree = parse(migration.source.slice(migration.up.span));
    tree.map(|tree| read(&tree)).unwrap_or_default()
}

fn chain(history: &[Candidate]) -> Vec<BTreeSet<usize>> {
    let with_previous = |(at, one): (usize, &Candidate)| {
        one.declared.iter().copied().chain(at.checked_sub(1)).collect()
    };
    history.iter().enumerate().map(with_previous).collect()
}
