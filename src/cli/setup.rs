//! What several verbs need first: files, database, runtime.

use std::path::Path;
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::runtime::{Builder, Runtime};

use super::args::Global;
use super::error::CliError;
use crate::cache::Caches;
use crate::config::{self, Environment};
use crate::load::{LoadOptions, Loaded, load};
use crate::parse::{Depth, Unlisted};
use crate::plan::Timings;
use crate::postgres::{ConnectError, Ledger, Target, Waiting};
use crate::report::progress::Verbosity;
use crate::report::{output, waiting};

/// Loads the migrations directory, and reads every file of it.
pub(super) fn files(global: &Global, depth: Depth) -> Result<Loaded, CliError> {
    let dir = global.dir.clone();
    let options = LoadOptions { dir, unlisted: unlisted(global), depth, cache: None };
    load(&options).map_err(CliError::Files)
}

/// How a directory is loaded that is only looked at: what was read of it the last time
/// need not be read again.
pub(super) fn looked_at(global: &Global, environment: &Environment, depth: Depth) -> LoadOptions {
    let dir = environment.cache_dir().filter(|_| !global.no_cache);
    let cache = dir.map(|dir| Caches { dir, owner: geteuid().as_raw() });
    LoadOptions { dir: global.dir.clone(), unlisted: unlisted(global), depth, cache }
}

/// What to take a file for that says nothing about its dependencies.
pub(super) fn unlisted(global: &Global) -> Unlisted {
    if global.assume_chain { Unlisted::Chain } else { Unlisted::Refuse }
}

/// The database, when one is set and `--offline` is not.
pub(super) fn database(
    global: &Global,
    environment: &Environment,
) -> Result<Option<Target>, CliError> {
    if global.offline {
        return Ok(None);
    }
    let environment = environment.clone().or_dot_env(&global.dir).map_err(CliError::Config)?;
    let settings = config::database(global.database_url.as_deref(), &environment);
    let patience = Duration::from_secs(u64::from(global.wait_server));
    let target = |settings| Target::new(&settings).wait(patience);
    Ok(settings.map_err(CliError::Config)?.map(target))
}

/// Says, without `--quiet`, why the server is waited for.
pub(super) fn waits_aloud(global: &Global) -> impl FnMut(&ConnectError) {
    let aloud = verbosity(global) > Verbosity::Quiet;
    move |error| {
        if aloud {
            output::log(&waiting::for_server(error));
        }
    }
}

/// Says, without `--quiet`, who is in the way.
pub(super) fn queues_aloud(global: &Global) -> impl FnMut(&Waiting) {
    let aloud = verbosity(global) > Verbosity::Quiet;
    move |waiting| {
        if aloud {
            output::log(&waiting::for_lock(waiting));
        }
    }
}

/// Where the ledger is.
pub(super) fn ledger(global: &Global) -> Ledger {
    Ledger::in_schema(&global.ledger_schema)
}

/// One thread: the work is the server's.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    Builder::new_current_thread().enable_all().build().map_err(CliError::System)
}

/// Measured times from a file.
pub(super) fn timings(path: Option<&Path>) -> Result<Timings, CliError> {
    let Some(path) = path else { return Ok(Timings::default()) };
    let error = |reason: String| CliError::Timings { path: path.to_owned(), reason };
    let json = std::fs::read_to_string(path).map_err(|it| error(it.to_string()))?;
    Timings::from_report(&json).map_err(|it| error(it.to_string()))
}

/// How much to say.
pub(super) fn verbosity(global: &Global) -> Verbosity {
    match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}
