//! Reaching a server that we can work with.

use crate::postgres::{ConnectError, LedgerError, ReachError, Reached, Target, Waiting};

/// The oldest server there are tests for.
const OLDEST: u32 = 130_000;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No session that we can work with.
    #[error(transparent)]
    Reach(#[from] ReachError),
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

impl From<ConnectError> for ServerError {
    fn from(error: ConnectError) -> Self {
        Self::Reach(error.into())
    }
}

impl ServerError {
    /// A short name for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reach(error) => error.code(),
            Self::TooOld { .. } => "server-too-old",
            Self::Ledger(_) => "ledger",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Reach(error) => error.help(),
            Self::TooOld { .. } => "upgrade the server".to_owned(),
            Self::Ledger(error) => error.help(),
        }
    }
}

/// Whoever wants to know why the server is waited for. Called every few seconds.
pub type OnWait<'a> = &'a mut dyn FnMut(&ConnectError);

/// Whoever wants to know who holds the run lock. Called every few seconds.
pub type OnLock<'a> = &'a mut dyn FnMut(&Waiting);

/// A session on a server that is new enough.
pub(super) async fn connect(target: &Target, on_wait: OnWait<'_>) -> Result<Reached, ServerError> {
    let reached = target.reach(on_wait).await?;
    let version = reached.version;
    if version < OLDEST {
        let version = format!("{}.{}", version / 10_000, version % 10_000);
        return Err(ServerError::TooOld { target: target.to_string(), version });
    }
    Ok(reached)
}
