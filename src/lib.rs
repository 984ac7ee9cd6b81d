//! migraph: plan and run PostgreSQL migrations in parallel.

pub mod graph;
pub mod load;
pub mod model;
pub mod parse;
pub mod plan;
mod suggest;
pub mod syntax;
