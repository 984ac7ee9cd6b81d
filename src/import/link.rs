//! What depends on what among imported migrations.

use std::collections::BTreeSet;

use crate::model::Migration;

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
    /// Declared ones; others inferred from the SQL, where migraph can.
    #[default]
    Inferred,
    /// Declared ones only: the other tool orders by nothing else.
    Declared,
    /// Each migration depends on the one before it, and on what it declares.
    Chain,
}

/// What each migration of `history` depends on, by position: always on earlier ones.
///
/// `history` is in the order in which the other tool runs it. This is the one place
/// where inference from the SQL is asked; until there is any, [`Linking::Inferred`]
/// is the chain.
pub fn dependencies(history: &[Candidate], linking: Linking) -> Vec<BTreeSet<usize>> {
    match linking {
        Linking::Declared => history.iter().map(|one| one.declared.clone()).collect(),
        Linking::Inferred | Linking::Chain => chain(history),
    }
}

fn chain(history: &[Candidate]) -> Vec<BTreeSet<usize>> {
    let with_previous = |(at, one): (usize, &Candidate)| {
        one.declared.iter().copied().chain(at.checked_sub(1)).collect()
    };
    history.iter().enumerate().map(with_previous).collect()
}
