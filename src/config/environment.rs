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
        let unreadable = |reason: String| ConfigError::EnvFile { path: path.clone(), reason };
        let text = std::fs::read_to_string(&path).map_err(|it| unreadable(it.to_string()))?;
        for line in dotenvy::from_read_iter(text.as_bytes()) {
            match line {
                Ok((name, value)) => {
                    let entry = self.0.entry(name).or_default();
                    if entry.is_empty() {
                        *entry = value;
                    }
                }
                // Most lines of a project's file are not meant for us, and their
                // dialect is not ours to judge. Never quote one: it may be a secret.
                Err(dotenvy::Error::LineParse(part, _)) => {
                    // Of a bad value it gives the value, of an open quote all the rest.
                    let first = part.lines().next().unwrap_or_default();
                    let line = text.lines().find(|line| line.contains(first));
                    if let Some(name) = part.lines().chain(line).find_map(our_name) {
                        let reason = format!("at {name} it is not `NAME=value`");
                        return Err(unreadable(reason));
                    }
                }
                Err(error) => return Err(unreadable(error.to_string())),
            }
        }
        Ok(self)
    }

    /// Where an ephemeral server finds its binaries and keeps its template.
    pub fn ephemeral(&self) -> Options {
        Options {
            pg_bin: self.get("MIGRAPH_PG_BIN").map(PathBuf::from),
            path: self.get("PATH").map(OsString::from),
            cache_dir: self.cache_dir(),
            temp_dir: self.get("TMPDIR").map(PathBuf::from),
            ..Options::default()
        }
    }

    /// Where the user's programs keep what they can make again
    /// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
    pub fn cache_dir(&self) -> Option<PathBuf> {
        let home = || self.get("HOME").map(|home| Path::new(home).join(".cache"));
        let named = self.get("XDG_CACHE_HOME").map(PathBuf::from);
        named.filter(|dir| dir.is_absolute()).or_else(home).filter(|dir| dir.is_absolute())
    }

    /// The value of `name`, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The variable that a line sets, when it is one that we read.
fn our_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let name = line.split(['=', ' ']).next()?.trim();
    let ours = name.starts_with("MIGRAPH_") || name.starts_with("PG") || name == "DATABASE_URL";
    ours.then_some(name)
}

/// Names only: values may be secret.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
