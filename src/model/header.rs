//! What a migration says about itself.

use std::time::Duration;

use jiff::Timestamp;

use super::id::MigrationId;
use super::source::Span;

/// How much a migration is expected to disturb a running application, by its
/// author's word (`@performanceImpact`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impact {
    /// Milliseconds.
    Low,
    /// Seconds, or short locks on used tables.
    #[default]
    Medium,
    /// Minutes, or long locks.
    High,
}

impl Impact {
    /// The word in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Whether a script runs inside one transaction (`@transaction`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionMode {
    /// Decided from the statements.
    #[default]
    Auto,
    /// One transaction, even where we cannot read the SQL.
    Always,
    /// Statement by statement, even where a transaction would be possible.
    Never,
}

/// One entry of `@dependencies` or `@exclusiveWith`, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The id that is named.
    pub id: MigrationId,
    /// Where it stands in the file.
    pub span: Span,
}

/// The header of a migration file.
///
/// Its lists are as written: they may name ids that do not exist, or one twice;
/// [`crate::graph`] is what checks them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `@name`; without one, the id serves.
    pub name: Option<String>,
    /// `@description`.
    pub description: Option<String>,
    /// `@timestamp`; a bare date is its midnight in UTC.
    pub timestamp: Option<Timestamp>,
    /// `@rollbackSafe`.
    pub rollback_safe: Option<bool>,
    /// `@performanceImpact`, `medium` when not given.
    pub impact: Impact,
    /// `@dependencies`.
    pub dependencies: Vec<Dependency>,
    /// Where that entry stands: from the beginning of its first line to the end of
    /// its list.
    pub dependencies_at: Option<Span>,
    /// `@transaction`, `auto` when not given.
    pub transaction: TransactionMode,
    /// `@lockTimeout`, to the millisecond; zero waits for ever.
    pub lock_timeout: Option<Duration>,
    /// `@statementTimeout`, to the millisecond; zero waits for ever.
    pub statement_timeout: Option<Duration>,
    /// `@exclusiveWith`: ids that must not run at the same time.
    pub exclusive_with: Vec<Dependency>,
}
