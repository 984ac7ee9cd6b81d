//! Settings: flag over environment over `.env` over default.
//!
//! The only reader of the environment.

mod database;
mod environment;
mod file;
mod rules;

pub use database::{DatabaseSettings, database, names_database};
pub use environment::Environment;
pub use file::ConfigFile;

use std::path::PathBuf;

/// A setting that cannot be used. Never holds a value that may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A connection string.
    #[error("{origin} is no connection string: {reason}")]
    Url {
        /// Which setting.
        origin: String,
        /// Why.
        reason: String,
        /// What to do.
        help: String,
    },
    /// Any other value.
    #[error("{name} has a value that cannot be used: {reason}")]
    Value {
        /// Which setting.
        name: String,
        /// Why.
        reason: String,
    },
    /// A `.env` file.
    #[error("cannot read {}: {reason}", path.display())]
    EnvFile {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl ConfigError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Url { help, .. } => help.clone(),
            Self::Value { .. } => "correct it, or unset it".to_owned(),
            Self::EnvFile { .. } => {
                "each line is `NAME=value`, or a comment that begins with `#`".to_owned()
            }
        }
    }
}
