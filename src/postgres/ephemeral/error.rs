//! Why there is no ephemeral server.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why an ephemeral server could not be made, started or stopped.
///
/// `Display` is one lowercase fragment, with the end of the server's log below it where
/// the log says more than we can; it never repeats `source()` and never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum EphemeralError {
    /// Neither the search path nor the usual places hold `initdb` beside `postgres`.
    #[error(
        "no PostgreSQL server is installed: `initdb` and `postgres` are neither in PATH nor in \
         the usual places; {install}, or name their directory in MIGRAPH_PG_BIN"
    )]
    NotInstalled {
        /// What to do on this system, such as "install it with `apt-get install postgresql`".
        install: &'static str,
    },

    /// The directory that was named does not hold a server we can run.
    #[error("`{}` holds no usable PostgreSQL server: {problem}", dir.display())]
    UnusableBinaries {
        /// The directory as it was named.
        dir: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// We are root, as which PostgreSQL refuses to run, and there is nobody else.
    #[error(
        "PostgreSQL refuses to run as root, and this system has neither a user `postgres` nor \
         a user `nobody` to run it as"
    )]
    NoAccount,

    /// No directory for temporary files can be used by the server.
    #[error(
        "no directory for temporary files can hold the server: it must be writable to it, and \
         its path shorter than a socket's may be"
    )]
    NoTempDir {
        /// What the last one tried answered, if any was tried.
        source: Option<io::Error>,
    },

    /// The operating system refused something on a file or a process.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried: "create", "run", "remove", …
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A program that prepares the cluster failed.
    #[error("`{}` failed ({status}):\n{output}", program.display())]
    Program {
        /// The program: `initdb`, `cp` or `postgres --single`.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        output: String,
    },

    /// The system has no free TCP port.
    #[error("cannot find a free TCP port on 127.0.0.1")]
    NoPort {
        /// What the system said.
        source: io::Error,
    },

    /// Another process listens on the port that the server was to have.
    #[error("another process listens on port {port} of 127.0.0.1")]
    PortTaken {
        /// The port in question.
        port: u16,
    },

    /// The server ended before it took connections.
    #[error("the ephemeral server ended while it was starting ({status}):\n{log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },

    /// The server lives, but takes no connections.
    #[error("the ephemeral server was not ready after {} s:\n{log}", waited.as_secs())]
    NotReady {
        /// How long we waited.
        waited: Duration,
        /// The last lines of its log.
        log: String,
    },

    /// The server outlived even SIGKILL for a while; it may hang in the kernel.
    #[error("the ephemeral server (process {pid}) does not end")]
    DoesNotEnd {
        /// The postmaster's process id.
        pid: u32,
    },
}

impl EphemeralError {
    /// Adapts an [`io::Error`] for `map_err`.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
