//! The process's environment and `.env`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ConfigError;
use crate::postgres::ephemeral::Options;

/// Variables by name. An empty one counts as not set, as in libpq.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's environment. What is not Unicode is left out.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
    pub fn of_process() -> Self {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(unicode).collect())
    }

    /// Variables from pairs, for tests and embedding.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Adds what `dir/.env` sets and the environment does not.
    pub fn or_dot_env(mut self, dir: &Path) -> Result<Self, ConfigError> {
        let path = dir.join(".env");
        if !path.is_file() {
            return Ok(self);
        }
        // A parse error quotes its line, which may hold a password.
        let unreadable = |error: dotenvy::Error| {
            let reason = match &error {
                dotenvy::Error::Io(error) => error.to_string(),
                _ => "a line in it is not `NAME=value`".to_owned(),
            };
            ConfigError::EnvFile { path: path.clone(), reason }
        };
        for line in dotenvy::from_path_iter(&path).map_err(unreadable)? {
            let (name, value) = line.map_err(unreadable)?;
            let entry = self.0.entry(name).or_default();
            if entry.is_empty() {
                *entry = value;
            }
        }
        Ok(self)
    }

    /// Where an ephemeral server finds its binaries and keeps its template.
    pub fn ephemeral(&self) -> Options {
        let home_cache = || self.get("HOME").map(|home| Path::new(home).join(".cache"));
        Options {
            pg_bin: self.get("MIGRAPH_PG_BIN").map(PathBuf::from),
            path: self.get("PATH").map(OsString::from),
            cache_dir: self.get("XDG_CACHE_HOME").map(PathBuf::from).or_else(home_cache),
            temp_dir: self.get("TMPDIR").map(PathBuf::from),
            ..Options::default()
        }
    }

    /// The value of `name`, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Names only: values may be secret.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
