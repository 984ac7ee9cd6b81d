//! migraph: plan and run PostgreSQL migrations in parallel.
