//! What kinds of objects a statement can touch, and where their names live.

use serde::{Deserialize, Serialize};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "`as_str` says it")]
pub enum Kind {
    Schema,
    Table,
    ForeignTable,
    View,
    MaterializedView,
    Sequence,
    Index,
    Column,
    Constraint,
    Type,
    EnumValue,
    Routine,
    Trigger,
    Policy,
    Rule,
    Operator,
    OperatorClass,
    OperatorFamily,
    Collation,
    Conversion,
    Cast,
    TextSearchConfiguration,
    TextSearchDictionary,
    TextSearchParser,
    TextSearchTemplate,
    Statistics,
    PropertyGraph,
    Extension,
    Role,
    Database,
    Tablespace,
    Publication,
    Subscription,
    EventTrigger,
    Language,
    Transform,
    AccessMethod,
    ForeignDataWrapper,
    Server,
    UserMapping,
    /// A setting of the server, of a database or of a role.
    Setting,
    DefaultPrivileges,
    LargeObject,
}

/// How names of a kind are scoped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scoping {
    /// Within a schema; found by the search path.
    Schema,
    /// Within a table or a type.
    Parent,
    /// Within the database or the whole server.
    Global,
}

impl Kind {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Table => "table",
            Self::ForeignTable => "foreign table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Sequence => "sequence",
            Self::Index => "index",
            Self::Column => "column",
            Self::Constraint => "constraint",
            Self::Type => "type",
            Self::EnumValue => "enum value",
            Self::Routine => "function",
            Self::Trigger => "trigger",
            Self::Policy => "policy",
            Self::Rule => "rule",
            Self::Operator => "operator",
            Self::OperatorClass => "operator class",
            Self::OperatorFamily => "operator family",
            Self::Collation => "collation",
            Self::Conversion => "conversion",
            Self::Cast => "cast",
            Self::TextSearchConfiguration => "text search configuration",
            Self::TextSearchDictionary => "text search dictionary",
            Self::TextSearchParser => "text search parser",
            Self::TextSearchTemplate => "text search template",
            Self::Statistics => "statistics object",
            Self::PropertyGraph => "property graph",
            Self::Extension => "extension",
            Self::Role => "role",
            Self::Database => "database",
            Self::Tablespace => "tablespace",
            Self::Publication => "publication",
            Self::Subscription => "subscription",
            Self::EventTrigger => "event trigger",
            Self::Language => "language",
            Self::Transform => "transform",
            Self::AccessMethod => "access method",
            Self::ForeignDataWrapper => "foreign-data wrapper",
            Self::Server => "server",
            Self::UserMapping => "user mapping",
            Self::Setting => "setting",
            Self::DefaultPrivileges => "default privileges",
            Self::LargeObject => "large object",
        }
    }

    /// True for what is a row of `pg_class`: these share their names.
    pub fn is_relation(self) -> bool {
        matches!(
            self,
            Self::Table
                | Self::ForeignTable
                | Self::View
                | Self::MaterializedView
                | Self::Sequence
                | Self::Index
                | Self::PropertyGraph
        )
    }

    /// What a value of such a type names: of `regclass`, a relation
    /// (<https://www.postgresql.org/docs/current/datatype-oid.html>).
    pub(super) fn of_oid_type(name: &str) -> Option<Self> {
        Some(match name {
            "regclass" => Self::Table,
            "regtype" => Self::Type,
            "regproc" | "regprocedure" => Self::Routine,
            "regnamespace" => Self::Schema,
            "regrole" => Self::Role,
            "regconfig" => Self::TextSearchConfiguration,
            "regdictionary" => Self::TextSearchDictionary,
            _ => return None,
        })
    }

    /// True for what `ALTER DEFAULT PRIVILEGES` is about
    /// (<https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html>).
    pub(super) fn has_privileges(self) -> bool {
        let relation = self.is_relation() && !matches!(self, Self::Index);
        relation || matches!(self, Self::Routine | Self::Type | Self::Schema | Self::LargeObject)
    }

    /// Of the kinds whose names exclude each other, the one that stands for all.
    pub(super) fn class(self) -> Self {
        if self.is_relation() { Self::Table } else { self }
    }

    /// Where its names live.
    pub fn scoping(self) -> Scoping {
        match self {
            Self::Column
            | Self::Constraint
            | Self::EnumValue
            | Self::Trigger
            | Self::Policy
            | Self::Rule => Scoping::Parent,
            Self::Type
            | Self::Routine
            | Self::OperatorClass
            | Self::OperatorFamily
            | Self::Collation
            | Self::Conversion
            | Self::TextSearchConfiguration
            | Self::TextSearchDictionary
            | Self::TextSearchParser
            | Self::TextSearchTemplate
            | Self::Statistics => Scoping::Schema,
            kind if kind.is_relation() => Scoping::Schema,
            // An operator lives in a schema, but is named without: it goes by its
            // characters alone.
            _ => Scoping::Global,
        }
    }

    /// True when PostgreSQL does not lock such an object against a parallel DROP
    /// while something is made that depends on it: both succeed, and the catalogue
    /// is left corrupt (PG-FACTS 2b, measured on 13, 15 and 18).
    pub fn is_unprotected(self) -> bool {
        match self {
            kind if kind.is_relation() => false,
            Self::Column
            | Self::Constraint
            | Self::Trigger
            | Self::Policy
            | Self::Rule
            | Self::EnumValue
            | Self::Role
            | Self::Database
            | Self::Statistics
            | Self::Publication
            | Self::Subscription
            | Self::Setting
            | Self::UserMapping
            | Self::LargeObject => false,
            _ => true,
        }
    }
}
