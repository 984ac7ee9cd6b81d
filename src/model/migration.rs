//! One migration file.

use std::sync::Arc;

use super::header::Header;
use super::id::MigrationId;
use super::script::Script;
use super::source::Source;

/// A migration file that parsed: header, up script, perhaps a down script.
///
/// Whether its dependencies exist is not known here; see [`crate::graph`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The file's stem.
    pub id: MigrationId,
    /// The file.
    pub source: Arc<Source>,
    /// What it says about itself.
    pub header: Header,
    /// The script that applies it.
    pub up: Script,
    /// The script that undoes it.
    pub down: Option<Script>,
}

impl Migration {
    /// The name for people: `@name`, else the id.
    pub fn name(&self) -> &str {
        self.header.name.as_deref().unwrap_or(self.id.as_str())
    }
}
