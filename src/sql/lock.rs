//! PostgreSQL's table-level lock modes.

use serde::{Deserialize, Serialize};

/// A mode of <https://www.postgresql.org/docs/current/explicit-locking.html>,
/// from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are PostgreSQL's")]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

use LockMode::{
    AccessExclusive, AccessShare, Exclusive, RowExclusive, RowShare, Share, ShareRowExclusive,
    ShareUpdateExclusive,
};

/// All of them.
pub const LOCK_MODES: [LockMode; 8] = [
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
];

impl LockMode {
    /// As `pg_locks.mode` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            AccessShare => "AccessShareLock",
            RowShare => "RowShareLock",
            RowExclusive => "RowExclusiveLock",
            ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Share => "ShareLock",
            ShareRowExclusive => "ShareRowExclusiveLock",
            Exclusive => "ExclusiveLock",
            AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// The modes that cannot be held by another transaction at the same time:
    /// the table "Conflicting Lock Modes" of the page above.
    fn conflicting(self) -> Modes {
        let from = |weakest: LockMode| Modes(0xff << weakest as u8);
        match self {
            AccessShare => from(AccessExclusive),
            RowShare => from(Exclusive),
            RowExclusive => from(Share),
            ShareUpdateExclusive => from(ShareUpdateExclusive),
            Share => {
                Modes(from(ShareUpdateExclusive).0 & !(1 << Share as u8) | 1 << RowExclusive as u8)
            }
            ShareRowExclusive => from(RowExclusive),
            Exclusive => from(RowShare),
            AccessExclusive => from(AccessShare),
        }
    }

    /// True when two transactions cannot hold these on one table at once.
    pub fn conflicts_with(self, other: Self) -> bool {
        self.conflicting().contains(other)
    }
}

/// A set of lock modes: what one transaction holds on one relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes(u8);

impl Modes {
    /// Adds `mode`.
    pub fn insert(&mut self, mode: LockMode) {
        self.0 |= 1 << mode as u8;
    }

    /// True when `mode` is in it.
    pub fn contains(self, mode: LockMode) -> bool {
        self.0 & (1 << mode as u8) != 0
    }

    /// One bit for each mode, the weakest lowest.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The modes that conflict with one of these.
    #[must_use]
    pub fn conflicting(self) -> Self {
        Self(self.iter().fold(0, |all, mode| all | mode.conflicting().0))
    }

    /// True when there is none in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The strongest of them.
    pub fn strongest(self) -> Option<LockMode> {
        LOCK_MODES.into_iter().rev().find(|mode| self.contains(*mode))
    }

    /// The modes in it, the weakest first.
    pub fn iter(self) -> impl Iterator<Item = LockMode> {
        LOCK_MODES.into_iter().filter(move |mode| self.contains(*mode))
    }

    /// The first pair, one of each, that cannot be held at once.
    pub fn conflict(self, other: Self) -> Option<(LockMode, LockMode)> {
        let against = |mine: LockMode| {
            other.iter().find(|theirs| mine.conflicts_with(*theirs)).map(|theirs| (mine, theirs))
        };
        self.iter().find_map(against)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manual's table, row by row: `X` where the modes conflict.
    #[test]
    fn conflicts_are_those_of_the_manual() {
        let table = [
            "       X", "      XX", "    XXXX", "   XXXXX", "  XX XXX", "  XXXXXX", " XXXXXXX",
            "XXXXXXXX",
        ];
        for (mode, row) in LOCK_MODES.into_iter().zip(table) {
            for (other, expected) in LOCK_MODES.into_iter().zip(row.chars()) {
                assert_eq!(mode.conflicts_with(other), expected == 'X', "{mode:?} {other:?}");
            }
        }
    }
}
