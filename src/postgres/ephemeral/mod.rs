//! A PostgreSQL server of our own: made from installed binaries, used, and gone.
//!
//! [`EphemeralServer::start`] finds `initdb` and `postgres` (`binaries`), decides
//! which account may run them (`owner`), makes a private directory (`home`), fills
//! it from a cached cluster (`template`) and starts the server in it (`postmaster`).
//!
//! Nothing is left behind, however we end. While we live, dropping the value stops the
//! server and removes the directory. For the ends at which nothing is dropped (a signal,
//! `process::exit`, `kill -9`) a small shell (`guard`) waits on a pipe that only we
//! hold open: when it closes, the shell does the same.
//!
//! Both children have process groups of their own, so that Ctrl-C in a terminal reaches
//! migraph alone, which can then finish its work on a server that still answers.
//!
//! The data is as lasting as the directory: `fsync` is off. A commit still reaches the
//! operating system before it is reported, so it survives a server that is killed
//! ([`StopMode::Immediate`]), though not a machine that is switched off.
//!
//! Everything here blocks; the longest of it (making the first template) takes a second.

mod binaries;
mod error;
mod guard;
mod home;
mod owner;
mod postmaster;
mod template;

use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

use self::binaries::Binaries;
use self::guard::Guard;
use self::home::Home;
use self::owner::Owner;
use self::postmaster::{Postmaster, Start};

pub use self::binaries::ServerVersion;
pub use self::error::EphemeralError;

/// The only superuser of an ephemeral server, and the name of its first database.
const SUPERUSER: &str = "postgres";

/// The port in the name of a Unix socket; every server has a directory of its own.
const SOCKET_PORT: u16 = 5432;

/// How often a TCP port that another process took in the meantime is replaced.
const PORT_TRIES: u32 = 20;

/// How to find, make and reach an ephemeral server.
///
/// The default looks in the usual places and listens on a Unix socket. What stands in
/// the environment (`PATH`, `HOME`, …) is never read here; the caller fills it in.
#[derive(Clone, Default)]
pub struct Options {
    /// The directory of `initdb` and `postgres`; nothing else is tried when it is given.
    pub pg_bin: Option<PathBuf>,
    /// The search path (`PATH`), to look for the binaries and for `pg_config`.
    pub path: Option<OsString>,
    /// The user's cache directory (`XDG_CACHE_HOME` or `~/.cache`), for the template.
    pub cache_dir: Option<PathBuf>,
    /// The directory for temporary files (`TMPDIR`); `/tmp` where it is missing, too
    /// long for a socket's path, or closed to the account that runs the server.
    pub temp_dir: Option<PathBuf>,
    /// What the server listens on.
    pub listen: Listen,
    /// The superuser's password; with it every connection needs SCRAM authentication.
    /// Without it a Unix socket trusts whoever may enter its directory, and
    /// [`Listen::Tcp`] makes up a password.
    pub password: Option<String>,
    /// Server settings, as in `postgresql.conf`; they come after our own, so they win.
    pub settings: Vec<(String, String)>,
}

impl fmt::Debug for Options {
    /// Leaves out the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("pg_bin", &self.pg_bin)
            .field("path", &self.path)
            .field("cache_dir", &self.cache_dir)
            .field("temp_dir", &self.temp_dir)
            .field("listen", &self.listen)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What an ephemeral server listens on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket in a directory that only we and root can enter.
    #[default]
    UnixSocket,
    /// A free port of 127.0.0.1, beside the socket. Every user of the machine can reach
    /// it, so it never trusts: without [`Options::password`] we make up one.
    Tcp,
}

/// How the server is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Ends the sessions, writes a checkpoint: a clean shutdown.
    Fast,
    /// Ends everything at once, as a crash would; the next start recovers from the WAL.
    Immediate,
}

/// A PostgreSQL server in a temporary directory; dropping it stops and removes it.
///
/// Made by [`EphemeralServer::start`] only, so it has been ready for connections once.
/// Between [`stop_server`](Self::stop_server) and [`start_again`](Self::start_again) it
/// is a directory without a running server.
pub struct EphemeralServer {
    postmaster: Option<Postmaster>,
    guard: Guard,
    home: Home,
    owner: Owner,
    binaries: Binaries,
    listen: Listen,
    port: u16,
    password: Option<String>,
    settings: Vec<(String, String)>,
}

impl EphemeralServer {
    /// Complete settings for a connection to its first database.
    pub fn settings(&self) -> tokio_postgres::Config {
        let mut settings = tokio_postgres::Config::new();
        settings.host(self.host()).port(self.port()).user(self.user()).dbname("postgres");
        settings.application_name("migraph");
        if let Some(password) = self.password() {
            settings.password(password);
        }
        settings
    }

    /// Makes a cluster, starts its server and waits until it takes connections.
    pub fn start(options: &Options) -> Result<Self, EphemeralError> {
        let owner = Owner::find()?;
        let binaries = Binaries::find(options, &owner)?;
        let password = password_for(options);
        let home = Home::create(options.temp_dir.as_deref(), &owner, password.is_some())?;
        let guard = Guard::spawn(&owner, home.path())?;
        let cluster = template::Cluster {
            binaries: &binaries,
            owner: &owner,
            cache_dir: options.cache_dir.as_deref(),
        };
        cluster.copy_to(&home.data_dir())?;
        if let Some(password) = &password {
            postmaster::set_password(&binaries, &owner, &home.data_dir(), password)?;
        }
        let mut server = Self {
            postmaster: None,
            guard,
            home,
            owner,
            binaries,
            listen: options.listen,
            port: SOCKET_PORT,
            password,
            settings: options.settings.clone(),
        };
        server.start_on_a_free_port()?;
        Ok(server)
    }

    /// The directory of the Unix socket; it belongs to the account of the server.
    pub fn socket_dir(&self) -> &Path {
        self.home.path()
    }

    /// The cluster's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.home.data_dir()
    }

    /// The `host` of a connection: `127.0.0.1`, or the directory of the Unix socket.
    pub fn host(&self) -> String {
        match self.listen {
            Listen::Tcp => Ipv4Addr::LOCALHOST.to_string(),
            Listen::UnixSocket => self.socket_dir().display().to_string(),
        }
    }

    /// The port of a connection; for a Unix socket it is part of the socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's name, which is the name of the first database too.
    pub fn user(&self) -> &'static str {
        SUPERUSER
    }

    /// The superuser's password, if connections need one.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The version of the server's binaries.
    pub fn version(&self) -> &ServerVersion {
        self.binaries.version()
    }

    /// The process id of the postmaster while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.postmaster.as_ref().map(Postmaster::pid)
    }

    /// What the server has logged so far, for error messages.
    pub fn log(&self) -> String {
        self.home.log_since(0)
    }

    /// Stops the server and removes its directory, as dropping it does, but tells
    /// whether that worked.
    pub fn stop(mut self) -> Result<(), EphemeralError> {
        self.stop_server(StopMode::Immediate)?;
        self.guard.finish();
        self.home.remove()
    }

    /// Stops the server and keeps its directory. Does nothing to a stopped server.
    pub fn stop_server(&mut self, mode: StopMode) -> Result<(), EphemeralError> {
        let Some(postmaster) = &mut self.postmaster else {
            return Ok(());
        };
        postmaster.stop(mode)?;
        self.postmaster = None;
        self.guard.watch(None)
    }

    /// Starts a stopped server again, on the same data and the same port. Does nothing
    /// to a server that was not stopped.
    pub fn start_again(&mut self) -> Result<(), EphemeralError> {
        if self.postmaster.is_some() {
            return Ok(());
        }
        let start = Start {
            binaries: &self.binaries,
            owner: &self.owner,
            home: &self.home,
            listen: self.listen,
            port: self.port,
            settings: &self.settings,
        };
        let postmaster = self.postmaster.insert(start.launch()?);
        let started = self
            .guard
            .watch(Some(postmaster.pid()))
            .and_then(|()| postmaster.go())
            .and_then(|()| postmaster.wait_until_ready(&self.home));
        if started.is_err() {
            // What went wrong first is what the caller should hear of.
            let _ = self.stop_server(StopMode::Immediate);
        }
        started
    }

    fn start_on_a_free_port(&mut self) -> Result<(), EphemeralError> {
        let mut tries = 1;
        loop {
            if self.listen == Listen::Tcp {
                self.port = free_port()?;
            }
            match self.start_again() {
                Err(EphemeralError::PortTaken { .. }) if tries < PORT_TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }
}

impl Drop for EphemeralServer {
    /// Whatever goes wrong here, the guard and then the directory's own drop try again.
    fn drop(&mut self) {
        let _ = self.stop_server(StopMode::Immediate);
        self.guard.finish();
    }
}

impl fmt::Debug for EphemeralServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralServer")
            .field("host", &self.host())
            .field("port", &self.port)
            .field("version", self.version())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

/// The password that connections will need: as given, made up for TCP, or none.
fn password_for(options: &Options) -> Option<String> {
    match options.listen {
        Listen::UnixSocket => options.password.clone(),
        Listen::Tcp => {
            options.password.clone().or_else(|| Some(Uuid::new_v4().simple().to_string()))
        }
    }
}

/// A port that was free a moment ago; who binds it next has to expect a rival.
fn free_port() -> Result<u16, EphemeralError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| EphemeralError::NoPort { source })
}

/// Asks `probe` every few milliseconds until it has an answer or `limit` has passed.
fn poll<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let answer = probe();
        if answer.is_some() || Instant::now() >= deadline {
            return answer;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_open_to_every_user_is_never_without_a_password() {
        let options = |listen, password: Option<&str>| Options {
            listen,
            password: password.map(str::to_owned),
            ..Options::default()
        };
        let given = password_for(&options(Listen::Tcp, Some("given")));
        assert_eq!(given.as_deref(), Some("given"));
        let socket = password_for(&options(Listen::UnixSocket, None));
        assert_eq!(socket, None);
        let made_up = || password_for(&options(Listen::Tcp, None)).unwrap();
        assert_eq!(made_up().len(), 32);
        assert_ne!(made_up(), made_up());
    }

    #[test]
    fn options_do_not_print_the_password() {
        let options = Options { password: Some("hunter2".to_owned()), ..Options::default() };
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn polling_ends_with_an_answer_or_at_the_limit() {
        let mut left = 3;
        let answer = poll(Duration::from_secs(10), || {
            left -= 1;
            (left == 0).then_some("done")
        });
        assert_eq!(answer, Some("done"));
        assert_eq!(poll::<()>(Duration::ZERO, || None), None);
    }
}
