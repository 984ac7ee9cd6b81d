//! Reaching a server that we can work with.

use tokio_postgres::Client;

use crate::postgres::{ConnectError, LedgerError, Target, server_version};

/// The oldest server there are tests for.
const OLDEST: u32 = 130_000;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No session.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Too old.
    #[error("{target} runs PostgreSQL {version}, and migraph needs 13 or later")]
    TooOld {
        /// Where.
        target: String,
        /// What it is.
        version: String,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl ServerError {
    /// A short name for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connect(_) => "cannot-connect",
            Self::TooOld { .. } => "server-too-old",
            Self::Ledger(_) => "ledger",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Connect(error) => error.help.clone(),
            Self::TooOld { .. } => "upgrade the server".to_owned(),
            Self::Ledger(error) => error.help(),
        }
    }
}

/// A session on a server that is new enough, with its `server_version_num`.
pub(super) async fn connect(target: &Target) -> Result<(Client, u32), ServerError> {
    let client = target.connect().await?;
    let version = server_version(&client, target).await?;
    if version < OLDEST {
        let version = format!("{}.{}", version / 10_000, version % 10_000);
        return Err(ServerError::TooOld { target: target.to_string(), version });
    }
    Ok((client, version))
}
