//! What a migration is: plain values without input or output.
//!
//! Everything here is made by [`crate::parse`] and only read afterwards. The
//! types carry their invariants (an id that parsed is a valid id, a script has
//! at least one statement), so nobody downstream checks them again.

mod checksum;
mod code;
mod diagnostic;
mod header;
mod id;
mod migration;
mod number;
mod rules;
mod script;
mod source;

pub use checksum::{CHECKSUM_ALGORITHM, Checksum};
pub use code::Code;
pub use diagnostic::{Diagnostic, Diagnostics, Place, Severity};
pub use header::{Dependency, Header, Impact, TransactionMode};
pub use id::{InvalidMigrationId, MigrationId};
pub use migration::Migration;
pub(crate) use number::Number;
pub use rules::{Level, Preset, Rules};
pub use script::{Block, Execution, Part, Script, Statement, StatementKind, Step};
pub use source::{Location, Source, Span, is_disguise, shown, shown_path};
