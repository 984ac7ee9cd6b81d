//! Exit codes: stable, and documented in the README.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; also when there was nothing to do.
    Done,
    /// A migration failed, or there are findings.
    Failed,
    /// The command line or a setting is wrong.
    Usage,
    /// The database cannot be reached or used.
    Connect,
    /// Another run holds the lock.
    Locked,
    /// The ledger and the files disagree.
    Disagree,
    /// Something is pending (`status --exit-code`).
    Pending,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Connect => 3,
            Self::Locked => 4,
            Self::Disagree => 5,
            Self::Pending => 6,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
