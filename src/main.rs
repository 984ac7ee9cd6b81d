//! The `migraph` binary.

use std::process::ExitCode;

/// Syntax trees are many small pieces: a sixth of the time for understanding SQL was
/// the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    migraph::cli::run(std::env::args_os()).into()
}
