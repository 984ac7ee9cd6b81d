//! The name of a migration.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name other migrations depend on, such as `0007_add_orders`: the stem of
/// the migration's file.
///
/// Parsing is the only way in, so holders may use it in file names and table
/// keys unchecked: it is never empty, starts with an ASCII letter or digit, and
/// goes on with ASCII letters, digits, `_`, `-` and `.`. The order is
/// byte-wise; it breaks every tie in planning and scheduling.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationId(Arc<str>);

impl MigrationId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MigrationId {
    type Err = InvalidMigrationId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let anchored = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if anchored && text.chars().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidMigrationId(text.to_owned()))
        }
    }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A text that is no migration id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no migration id: it must start with an ASCII letter or digit and hold only letters, digits, `_`, `-` and `.`"
)]
pub struct InvalidMigrationId(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_portable_file_stem() {
        for good in ["0001_users", "a", "7", "v1.2-rc_3"] {
            assert_eq!(good.parse::<MigrationId>().unwrap().as_str(), good);
        }
        for bad in ["", "_a", "-a", ".a", "a b", "a/b", "é", "a,b", "a]"] {
            assert_eq!(bad.parse::<MigrationId>(), Err(InvalidMigrationId(bad.to_owned())));
        }
    }
}
