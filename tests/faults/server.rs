//! The server of the campaign, and looking at it from outside.

use std::time::{Duration, Instant};

use migraph::postgres::ephemeral::{EphemeralServer, Options, StopMode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, Row};

use crate::harness::{self, Database, database_on};

/// Deadlocks are looked for sooner than usual: a campaign has no second to wait for
/// each. The log names who said what.
const SETTINGS: [(&str, &str); 3] = [
    ("deadlock_timeout", "200ms"),
    ("max_connections", "200"),
    ("log_line_prefix", "%m [%p] %a: "),
];

pub struct Server(EphemeralServer);

impl Server {
    pub fn start() -> Self {
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let options = Options { settings, ..harness::options() };
        Self(EphemeralServer::start(&options).expect("PostgreSQL's binaries are installed"))
    }

    pub fn major(&self) -> u32 {
        self.0.version().major()
    }

    /// A new database.
    pub fn database(&self) -> Database {
        database_on(&self.0)
    }

    pub fn log(&self) -> String {
        self.0.log()
    }

    /// SIGKILL for one of its processes; false if it is none any more.
    pub fn kill_backend(&self, pid: i32) -> bool {
        let postmaster = self.0.pid().expect("it runs").to_string();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let is_ours = parent.is_some_and(|parent| parent.trim() == postmaster);
        is_ours && kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok()
    }

    /// Stops it, and starts it again after `pause` on the same data and port.
    pub fn restart(&mut self, mode: StopMode, pause: Duration) {
        self.0.stop_server(mode).expect("the server stops");
        std::thread::sleep(pause);
        self.0.start_again().expect("the server starts again");
    }
}

/// A session of the campaign's own, which comes back when the server does.
pub struct Observer {
    runtime: Runtime,
    url: String,
    client: Option<Client>,
}

/// How long a server may take to come back.
const PATIENCE: Duration = Duration::from_secs(30);

impl Observer {
    pub fn new(database: &Database) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, url: database.url(), client: None }
    }

    /// Runs one statement, on a new session when the last one was lost.
    pub fn query(&mut self, sql: &str) -> Vec<Row> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.try_query(sql) {
                Ok(rows) => return rows,
                Err(error) if error.as_db_error().is_some() && !is_passing(&error) => {
                    panic!("{sql}: {error:?}")
                }
                Err(error) => assert!(Instant::now() < deadline, "{sql}: {error:?}"),
            }
            self.client = None;
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first column of the first row.
    pub fn count(&mut self, sql: &str) -> i64 {
        self.query(sql).first().map_or(0, |row| row.get(0))
    }

    fn try_query(&mut self, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        let Self { runtime, url, client } = self;
        runtime.block_on(async {
            if client.as_ref().is_none_or(Client::is_closed) {
                let (new, connection) = tokio_postgres::connect(url, NoTls).await?;
                tokio::spawn(connection);
                *client = Some(new);
            }
            let client = client.as_ref().expect("it was just made");
            client.query(sql, &[]).await
        })
    }

    /// Every session of a runner, and what it holds.
    pub fn sessions(&mut self) -> Vec<Session> {
        self.query(SESSIONS).iter().map(Session::of).collect()
    }
}

/// The server is starting or stopping.
fn is_passing(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("57P"))
}

/// Whoever applies a migration holds WORK, shared; whoever leads a run holds its
/// locks exclusively. Nothing else of ours takes advisory locks.
const SESSIONS: &str = "
    SELECT a.application_name, a.pid, coalesce(a.client_port, 0), left(a.query, 60), a.state,
        EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'),
        EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'advisory' AND granted AND mode = 'ShareLock')
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.application_name LIKE 'runner-%'
    ORDER BY a.pid";

#[derive(Debug)]
pub struct Session {
    pub runner: String,
    pub pid: i32,
    /// The runner's port, as the server sees it.
    pub port: u16,
    pub query: String,
    /// It holds the run lock.
    pub leads: bool,
    /// It is in the middle of a migration.
    pub works: bool,
    state: String,
}

impl Session {
    fn of(row: &Row) -> Self {
        let leads = row.get(5);
        let text = |column| row.get::<_, Option<String>>(column).unwrap_or_default();
        Self {
            runner: row.get(0),
            pid: row.get(1),
            port: u16::try_from(row.get::<_, i32>(2)).unwrap_or(0),
            query: text(3).replace('\n', " "),
            leads,
            works: !leads && row.get::<_, bool>(6),
            state: text(4),
        }
    }

    /// It runs a statement outside of any transaction of ours: all else that works
    /// says for which migration.
    pub fn is_bare(&self) -> bool {
        let words = ["CREATE", "DROP INDEX", "REINDEX", "ALTER", "VACUUM", "DO", "CALL"];
        self.works && words.iter().any(|word| self.query.starts_with(word))
    }

    /// It works on a migration at this moment. What cleans a session behind one is
    /// not waited for.
    pub fn is_busy(&self) -> bool {
        self.works && self.state == "active" && !self.query.starts_with("DISCARD ALL")
    }
}
