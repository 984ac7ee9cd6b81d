//! The sample project, shown: plan, up and status on a PostgreSQL that is started
//! for it and thrown away. `make demo` runs this.
//!
//! `migraph up --ephemeral` would throw the database away before `status` could
//! look at it, so here the server belongs to this program, which uses the same
//! module of the library.
#![expect(clippy::print_stdout, reason = "a program that shows something")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use migraph::config::Environment;
use migraph::postgres::ephemeral::EphemeralServer;

fn main() -> Result<(), Box<dyn Error>> {
    let server = EphemeralServer::start(&Environment::of_process().ephemeral())?;
    println!("PostgreSQL {} in {}", server.version(), server.data_dir().display());
    let binary = std::env::current_exe()?.with_file_name("../migraph");
    for arguments in
        [&["validate"][..], &["plan", "--jobs", "8"], &["up", "--jobs", "8"], &["status"], &["up"]]
    {
        show(&binary, &server, arguments)?;
    }
    server.stop()?;
    Ok(())
}

/// Runs the binary in the project's directory, as a user would type it.
fn show(
    binary: &PathBuf,
    server: &EphemeralServer,
    arguments: &[&str],
) -> Result<(), Box<dyn Error>> {
    println!("\n$ migraph {}", arguments.join(" "));
    let status = Command::new(binary)
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env_remove("DATABASE_URL")
        .env_remove("MIGRAPH_DATABASE_URL")
        .env("PGHOST", server.host())
        .env("PGPORT", server.port().to_string())
        .env("PGUSER", server.user())
        .env("PGDATABASE", "postgres")
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("migraph {arguments:?}: {status}").into()) }
}
