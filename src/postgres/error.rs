//! What the server and the network say, in our words.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::reach::POOLER_PATIENCE;
use super::target::Target;
use crate::engine::Retry;

/// Why no session could be opened.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot connect to {target}: {reason}")]
pub struct ConnectError {
    /// Where to.
    pub target: String,
    /// What the server or the system said.
    pub reason: String,
    /// The server's code, when it was the server.
    pub sqlstate: Option<String>,
    /// What to do next.
    pub help: String,
    /// True when the same may work in a moment: the server is starting or
    /// stopping, is not there, or has no room.
    pub transient: bool,
}

impl ConnectError {
    pub(super) fn new(target: &Target, error: &Error) -> Self {
        Self {
            target: target.to_string(),
            reason: reason(error),
            sqlstate: error.code().map(|code| code.code().to_owned()),
            help: help(target, error),
            transient: is_transient(error),
        }
    }

    /// A session without our startup options, where there were some before.
    pub(super) fn options_lost(target: &Target) -> Self {
        Self {
            target: target.to_string(),
            reason: "this session did not get the startup options that an earlier one got"
                .to_owned(),
            sqlstate: None,
            help: "does the name lead to the server itself, or sometimes to a connection pooler? set MIGRAPH_DATABASE_URL to a URL of the server".to_owned(),
            transient: false,
        }
    }

    /// A pooler lets clients wait for whom it has no server session.
    fn pooler_full(target: &Target) -> Self {
        Self {
            target: target.to_string(),
            reason: format!("no session within {} s", POOLER_PATIENCE.as_secs()),
            sqlstate: None,
            help: "the connection pooler has none free: run with fewer `--jobs`, raise its pool_size to one more than them, or set MIGRAPH_DATABASE_URL to a URL of the server".to_owned(),
            transient: true,
        }
    }

    /// Whether a session may be had a moment later. A wrong password stays wrong.
    pub(super) fn retry(&self) -> Retry {
        match self.sqlstate.as_deref() {
            // too_many_connections
            Some("53300") => Retry::FewerSessions,
            _ if self.transient => Retry::Connect,
            _ => Retry::Never,
        }
    }

    /// What the pool says when it could not open a session.
    pub(super) fn from_pool(target: &Target, error: &PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::new(target, error),
            PoolError::Timeout(_) => Self::pooler_full(target),
            other => Self {
                target: target.to_string(),
                reason: other.to_string(),
                sqlstate: None,
                help: String::new(),
                transient: false,
            },
        }
    }
}

/// Whether a server that is starting would say so.
fn is_transient(error: &Error) -> bool {
    let codes = [
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::TOO_MANY_CONNECTIONS,
    ];
    // A name that is not known is none of these: it is more likely misspelt.
    let kinds = [
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
        ErrorKind::UnexpectedEof,
        ErrorKind::TimedOut,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        // The socket of a server that is not running.
        ErrorKind::NotFound,
    ];
    let system = || error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match error.code() {
        Some(code) => codes.contains(code),
        None => error.is_closed() || system().is_some_and(|it| kinds.contains(&it.kind())),
    }
}

/// The server's message, or the innermost reason of the system.
pub(super) fn reason(error: &Error) -> String {
    if let Some(server) = error.as_db_error() {
        return server.message().to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

fn help(target: &Target, error: &Error) -> String {
    let database = target.database();
    match error.code() {
        Some(code) if *code == SqlState::INVALID_PASSWORD => {
            "check the user and the password in the URL, PGUSER and PGPASSWORD".to_owned()
        }
        Some(code) if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check the user, and the rules in the server's pg_hba.conf".to_owned()
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            format!("create it first, for example with `createdb {database}`, or name another one")
        }
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "run with fewer `--jobs`, or end other sessions; `--wait-server SECONDS` waits for room".to_owned()
        }
        Some(code) if *code == SqlState::CANNOT_CONNECT_NOW => {
            "the server is starting or stopping: `--wait-server SECONDS` waits for it".to_owned()
        }
        Some(_) => "the server refused the connection: check the settings".to_owned(),
        None if error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>) => {
            "is the server running there? `--database-url`, DATABASE_URL, PGHOST and PGPORT say where; `--wait-server SECONDS` waits for one that is starting; `--offline` plans without a database".to_owned()
        }
        None => "check the connection settings; `PGSSLMODE=disable` connects without TLS".to_owned(),
    }
}
