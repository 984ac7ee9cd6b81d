//! The layouts of other tools.

use std::fmt;

/// A way in which some tool keeps its migrations in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// Pairs `N_name.up.sql` and `N_name.down.sql`; also those of pop and soda, with
    /// a dialect before the direction.
    GolangMigrate,
    /// `N_name.sql` with `-- migrate:up` and `-- migrate:down`.
    Dbmate,
    /// `N_name.sql` with `-- +goose Up` and `-- +goose Down`.
    Goose,
    /// Directories with `up.sql`, `down.sql` and perhaps `metadata.toml`.
    Diesel,
    /// `N_name.sql`, or pairs `N_name.up.sql` and `N_name.down.sql`.
    Sqlx,
    /// Directories with `migration.sql`.
    Prisma,
    /// `V1.2__name.sql`, `U1.2__name.sql`, `R__name.sql`; also refinery's.
    Flyway,
    /// `sqitch.plan` with the directories `deploy`, `revert` and `verify`.
    Sqitch,
    /// Directories with `up.sql`, `down.sql` and `metadata.yaml`.
    Sourcegraph,
    /// `N_name.sql` with `-- Up Migration` and `-- Down Migration`.
    NodePgMigrate,
    /// `N_name.sql` without anything else.
    Plain,
}

impl Layout {
    /// Every layout, in the order in which they are listed to people.
    pub const ALL: [Self; 11] = [
        Self::GolangMigrate,
        Self::Dbmate,
        Self::Goose,
        Self::Diesel,
        Self::Sqlx,
        Self::Prisma,
        Self::Flyway,
        Self::Sqitch,
        Self::Sourcegraph,
        Self::NodePgMigrate,
        Self::Plain,
    ];

    /// The name on the command line and in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GolangMigrate => "golang-migrate",
            Self::Dbmate => "dbmate",
            Self::Goose => "goose",
            Self::Diesel => "diesel",
            Self::Sqlx => "sqlx",
            Self::Prisma => "prisma",
            Self::Flyway => "flyway",
            Self::Sqitch => "sqitch",
            Self::Sourcegraph => "sourcegraph",
            Self::NodePgMigrate => "node-pg-migrate",
            Self::Plain => "plain",
        }
    }

    /// Whether the tool orders its migrations by declared dependencies alone, so that
    /// they are all there is to know.
    pub(super) fn declares_all(self) -> bool {
        self == Self::Sourcegraph
    }

    /// Whether the tool runs a script in a transaction, or sends it in one message,
    /// which is one: not sqitch, whose psql commits each statement. Of plain files
    /// nobody knows the tool, but most do.
    pub(super) fn begins_transaction(self) -> bool {
        self != Self::Sqitch
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
