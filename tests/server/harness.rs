//! A server, a database, a directory of migrations, and the binary.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use migraph::config::Environment;
use migraph::postgres::ephemeral::{EphemeralServer, Listen, Options};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// Long enough for a busy machine; nothing waits so long when all is well.
const PATIENCE: Duration = Duration::from_mins(1);

/// The password of the server's superuser; it must never show anywhere.
pub const PASSWORD: &str = "s3cr3t-Zaphod";

pub fn options() -> Options {
    Options {
        listen: Listen::Tcp,
        password: Some(PASSWORD.into()),
        ..Environment::of_process().ephemeral()
    }
}

/// One server for the whole test binary. Its guard removes it with the process.
fn server() -> &'static EphemeralServer {
    static SERVER: OnceLock<EphemeralServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        EphemeralServer::start(&options()).expect("PostgreSQL's binaries are installed")
    })
}

/// Where the shared server's files are, for whoever needs their owner.
pub fn data_dir() -> PathBuf {
    server().data_dir()
}

/// In a script: the backend does not look whether its client is still there, as none
/// does before PostgreSQL 14, where this changes nothing.
pub const UNWATCHED: &str = "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'client_connection_check_interval';";

/// A fresh database and an empty migrations directory.
pub struct Project {
    pub dir: TempDir,
    pub database: Database,
}

/// A database and how to reach it.
#[derive(Clone)]
pub struct Database {
    pub name: String,
    pub port: u16,
}

impl Database {
    pub fn url(&self) -> String {
        self.url_as("postgres", PASSWORD)
    }

    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Runs statements and returns the first column of the last rows, joined.
    pub fn sql(&self, sql: &str) -> String {
        let (url, sql) = (self.url(), sql.to_owned());
        block_on(async move {
            let client = connect(&url).await;
            let messages =
                client.simple_query(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            let rows = messages.iter().filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(
                    (0..row.len())
                        .map(|at| row.get(at).unwrap_or(""))
                        .collect::<Vec<_>>()
                        .join("|"),
                ),
                _ => None,
            });
            rows.collect::<Vec<_>>().join("\n")
        })
    }

    /// A session that has run `sql` and stays open until it is dropped.
    pub fn hold(&self, sql: &str) -> Holder {
        let (url, sql) = (self.url(), sql.to_owned());
        let (started, wait) = std::sync::mpsc::channel();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            block_on(async move {
                let client = connect(&url).await;
                client.batch_execute(&sql).await.unwrap();
                started.send(()).unwrap();
                let _ = released.await;
            });
        });
        wait.recv().unwrap();
        Holder { release: Some(release), thread: Some(thread) }
    }

    /// Waits until `sql` answers `expected`.
    pub fn until(&self, sql: &str, expected: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.sql(sql);
            if found == expected {
                return;
            }
            assert!(Instant::now() < end, "{sql}: {found:?}, not {expected:?}");
            sleep(Duration::from_millis(20));
        }
    }

    /// True when a backend notices that its client is gone (14 and later).
    pub fn watches_clients(&self) -> bool {
        self.sql("SELECT current_setting('server_version_num')::int >= 140000") == "t"
    }

    /// Ends what a killed run has left working, where it would not end by itself: as
    /// the operator does whom migraph tells so.
    pub fn end_orphans(&self) {
        if !self.watches_clients() {
            self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migraph' AND state = 'active' AND datname = current_database()");
        }
    }

    /// Waits until no session of migraph is in it. A backend notices that its
    /// client has gone a moment later, but it does so by itself.
    pub fn until_gone(&self) {
        self.until("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'migraph'", "0");
    }
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.expect("the server answers");
    tokio::spawn(connection);
    client
}

/// A database that no other test has, on the shared server.
pub fn database() -> Database {
    database_on(server())
}

pub fn database_on(server: &EphemeralServer) -> Database {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let admin = Database { name: "postgres".into(), port: server.port() };
    admin.sql(&format!("CREATE DATABASE {name}"));
    // Version 13 would make passwords that the server's rules do not take.
    admin.sql(&format!("ALTER DATABASE {name} SET password_encryption = 'scram-sha-256'"));
    Database { name, port: server.port() }
}

/// See [`Database::hold`].
pub struct Holder {
    release: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.release.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Project {
    /// `(id, dependencies, SQL)` for each migration.
    pub fn new(migrations: &[(&str, &str, &str)]) -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap(), database: database() };
        for (id, dependencies, sql) in migrations {
            project.write(id, dependencies, sql);
        }
        project
    }

    pub fn write(&self, id: &str, dependencies: &str, sql: &str) {
        let text = format!("-- @dependencies: [{dependencies}]\n{sql}\n");
        std::fs::write(self.file(id), text).unwrap();
    }

    pub fn file(&self, id: &str) -> PathBuf {
        self.dir.path().join(format!("{id}.sql"))
    }

    /// Runs the binary to its end, in this project's directory and database.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.start(args).end()
    }

    /// Starts the binary.
    pub fn start(&self, args: &[&str]) -> Running {
        start(self.dir.path(), &self.database.url(), args, &[])
    }

    pub fn ledger(&self) -> String {
        self.database.sql("SELECT id FROM migraph.__migrations__ ORDER BY id").replace('\n', " ")
    }
}

pub fn start(dir: &Path, url: &str, args: &[&str], environment: &[(&str, &str)]) -> Running {
    let child = Command::new(env!("CARGO_BIN_EXE_migraph"))
        .arg("--dir")
        .arg(dir)
        .args(args)
        .env_clear()
        .env("DATABASE_URL", url)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    Running(child)
}

pub struct Running(Child);

impl Running {
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for its end. One that does not end is a failure, not a test run that
    /// hangs.
    pub fn end(self) -> Ended {
        let pid = self.0.id();
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || ended.send(self.0.wait_with_output().unwrap()));
        if let Ok(output) = end.recv_timeout(Duration::from_mins(5)) {
            return Ended::of(output);
        }
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        panic!("it did not end: {:?}", end.recv());
    }
}

#[derive(Debug)]
pub struct Ended {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("outputs are UTF-8");
        let ended = Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!ended.all().contains(PASSWORD), "a password was shown: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        ended
    }

    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    /// Asserts that each of `parts` is said, on either stream.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.all().contains(part), "`{part}` is missing in\n{}", self.all());
        }
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }
}
