//! migraph: plan and run PostgreSQL migrations in parallel.
//!
//! A directory of SQL files, each naming what it depends on, becomes a
//! validated graph ([`load`], [`graph`]); the graph minus what the database has
//! applied becomes a [`plan`]; the plan is executed in parallel ([`exec`]) on an
//! [`engine`], of which [`postgres`] is the real one. [`ops`] has one function
//! for each verb of the command line.
//!
//! The modules are layered: each uses only those above it in `docs/design/`'s
//! list, and everything down to [`engine`] is pure (`tests/layering.rs`).

pub mod analyse;
pub mod cache;
pub mod cli;
pub mod config;
pub mod engine;
pub mod exec;
mod exit;
pub mod git;
pub mod graph;
pub mod import;
pub mod lint;
pub mod load;
pub mod model;
pub mod ops;
pub mod parse;
pub mod plan;
pub mod postgres;
mod report;
pub mod sql;
mod suggest;
pub mod syntax;

pub use exit::Exit;
