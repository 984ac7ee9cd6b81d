//! The `migraph` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    migraph::cli::run(std::env::args_os()).into()
}
