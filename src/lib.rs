//! migraph: plan and run PostgreSQL migrations in parallel.

pub mod config;
pub mod engine;
pub mod exec;
pub mod graph;
pub mod load;
pub mod model;
pub mod ops;
pub mod parse;
pub mod plan;
pub mod postgres;
mod suggest;
pub mod syntax;
