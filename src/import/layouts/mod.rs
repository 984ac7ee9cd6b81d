//! One reader for each layout: files in, history out.

pub(super) mod dbmate;
mod diesel;
mod directories;
pub(super) mod flyway;
pub(super) mod goose;
mod marks;
pub(super) mod node_pg_migrate;
mod plain;
mod prisma;
mod sectioned;
mod sourcegraph;
pub(super) mod sqitch;
mod sqitch_conf;
mod sqitch_plan;
pub(super) mod sqlx;
pub(super) mod versioned;

use super::reading::Reading;
use super::{ImportError, Layout};

/// Reads the directory as one of `layout`.
pub(super) fn read(layout: Layout, reading: &mut Reading<'_>) -> Result<(), ImportError> {
    match layout {
        Layout::GolangMigrate => versioned::read(reading),
        Layout::Dbmate => dbmate::read(reading),
        Layout::Goose => goose::read(reading),
        Layout::Diesel => diesel::read(reading),
        Layout::Sqlx => sqlx::read(reading),
        Layout::Prisma => return prisma::read(reading),
        Layout::Flyway => flyway::read(reading),
        Layout::Sqitch => sqitch::read(reading),
        Layout::Sourcegraph => sourcegraph::read(reading),
        Layout::NodePgMigrate => node_pg_migrate::read(reading),
        Layout::Plain => plain::read(reading),
    }
    Ok(())
}
