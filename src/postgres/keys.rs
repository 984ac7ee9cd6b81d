//! The numbers of our advisory locks.

use sha2::{Digest, Sha256};

/// The two locks that every runner of one ledger knows. PostgreSQL keeps
/// advisory locks per database, so the ledger's schema is all they need to
/// depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Held exclusively by the coordinator of the one run.
    pub(super) run: i64,
    /// Held, shared, by whoever is applying a migration.
    pub(super) work: i64,
}

impl Keys {
    pub(super) fn of(schema: &str) -> Self {
        Self { run: key("run", schema), work: key("work", schema) }
    }
}

/// The first eight bytes of a hash. Changing this would let two versions of
/// migraph run beside each other: never do it.
fn key(purpose: &str, schema: &str) -> i64 {
    let digest = Sha256::digest(format!("migraph/1/{purpose}/{schema}"));
    digest.iter().take(8).fold(0_i64, |key, byte| (key << 8) | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_never_change() {
        let keys = Keys::of("migraph");
        assert_eq!(keys, Keys { run: 4_731_614_102_991_955_580, work: -760_640_730_241_581_775 });
        assert_ne!(keys, Keys::of("other"));
    }
}
