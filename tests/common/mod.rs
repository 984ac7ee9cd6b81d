//! Running the binary as a user would.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the helpers of a test may fail it"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; -1 after a signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The one JSON document on stdout, checked for what all of them have.
    pub(crate) fn document(&self) -> serde_json::Value {
        let document: serde_json::Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr));
        assert_eq!(document["schema_version"], 1, "{document}");
        assert!(document["command"].is_string() && document["ok"].is_boolean(), "{document}");
        document
    }
}

/// Where Cargo.toml is.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary with an environment in which nothing is set but the search path,
/// in the repository, so that outputs are the same on every machine.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_migraph"));
    command.current_dir(repository()).env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program with `args`.
pub(crate) fn migraph(args: &[&str]) -> Ran {
    run(command().args(args))
}

pub(crate) fn temporary_dir() -> TempDir {
    TempDir::with_prefix("migraph-test-").unwrap()
}

/// A program that `.ci/setup --test` installs.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = test_tools().join("venv/bin").join(name);
    assert!(path.is_file(), "{} is missing: run `.ci/setup --test`", path.display());
    path
}

/// Where `.ci/setup --test` puts what only tests need.
pub(crate) fn test_tools() -> PathBuf {
    repository().join("target/test-tools")
}

/// The search path of a machine on which migraph is installed.
pub(crate) fn path_with_migraph() -> OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_migraph")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(binary).chain(std::env::split_paths(&path))).unwrap()
}
