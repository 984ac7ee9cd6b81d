//! The ephemeral server, with real binaries: what it serves and that it goes away.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use migraph::postgres::ephemeral::{EphemeralError, EphemeralServer, Listen, Options, StopMode};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Tells [`owner_process`] that it is a child of one of these tests, and what to do.
const ROLE: &str = "MIGRAPH_TEST_OWNER";

/// Generous, for a busy machine; unhurried it takes a tenth of a second.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Set TMPDIR to a file system in memory for quick tests: a cluster has a thousand files.
fn options() -> Options {
    Options { temp_dir: Some(std::env::temp_dir()), ..Options::default() }
}

fn start() -> EphemeralServer {
    EphemeralServer::start(&options()).unwrap()
}

/// Runs SQL as the superuser and returns the first column of the last row, if any.
fn query(
    server: &EphemeralServer,
    password: Option<&str>,
    sql: &str,
) -> Result<Option<String>, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host(server.host()).port(server.port()).user(server.user()).dbname(server.user());
    if let Some(password) = password {
        config.password(password);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
        let connection = tokio::spawn(connection);
        let rows = client.simple_query(sql).await?;
        drop(client);
        connection.await.unwrap()?;
        Ok(rows.iter().rev().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    })
}

/// The command lines of all processes that mention `text`; zombies have none.
fn processes_with(text: &str) -> Vec<String> {
    let lines: Vec<String> = if cfg!(target_os = "linux") {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .collect()
    } else {
        let ps = Command::new("ps").args(["-axww", "-o", "args="]).output();
        let text = String::from_utf8(ps.unwrap().stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    lines.into_iter().filter(|it| it.contains(text)).collect()
}

/// Neither the directory nor a process that knows of it is left, now or soon.
fn assert_gone(dir: &Path) {
    let text = dir.to_str().unwrap();
    let began = Instant::now();
    while dir.exists() || !processes_with(text).is_empty() {
        let left = processes_with(text);
        assert!(began.elapsed() < GONE_WITHIN, "{text} left: {left:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process that was a child of ours has been waited for, too.
fn is_reaped(pid: u32) -> bool {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), None).is_err()
}

#[test]
fn it_answers_and_leaves_nothing() {
    let server = start();
    let dir = server.socket_dir().to_owned();
    let pid = server.pid().unwrap();
    let version = query(&server, None, "SHOW server_version").unwrap().unwrap();
    let expected = server.version().to_string();
    assert!(version.starts_with(&expected), "{version} is not {expected}");
    let settings = "SELECT concat_ws(' ', current_user, current_setting('TimeZone'), \
                    pg_encoding_to_char(encoding), datcollate, current_setting('fsync')) \
                    FROM pg_database WHERE datname = current_database()";
    let settings = query(&server, None, settings).unwrap().unwrap();
    assert!(settings.starts_with("postgres "), "{settings}");
    assert!(settings.ends_with("UTC UTF8 C off"), "{settings}");
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(server.log().contains("ready to accept connections"));
    assert_eq!(processes_with(dir.to_str().unwrap()).len(), 2, "guard and server");

    server.stop().unwrap();
    assert!(!dir.exists());
    assert!(is_reaped(pid));
    assert_eq!(processes_with(dir.to_str().unwrap()), [""; 0]);
}

#[test]
fn settings_of_the_caller_win() {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let server = EphemeralServer::start(&Options {
        settings: vec![setting("fsync", "on"), setting("wal_level", "logical")],
        ..options()
    })
    .unwrap();
    let show = |name| query(&server, None, &format!("SHOW {name}")).unwrap();
    assert_eq!(show("fsync").as_deref(), Some("on"));
    assert_eq!(show("wal_level").as_deref(), Some("logical"));
}

#[test]
fn a_panic_leaves_nothing() {
    let (send, receive) = std::sync::mpsc::channel();
    let outcome = thread::spawn(move || {
        let server = start();
        let pid = server.pid().unwrap();
        send.send((server.socket_dir().to_owned(), pid)).unwrap();
        panic!("expected by the test");
    })
    .join();
    assert!(outcome.is_err());
    let (dir, pid) = receive.recv().unwrap();
    assert!(!dir.exists());
    assert!(is_reaped(pid));
}

/// Not a test but the other half of some: a process that owns a server until its end.
#[test]
fn owner_process() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test says what to do")]
    let Some(role) = std::env::var_os(ROLE) else {
        return;
    };
    let server = EphemeralServer::start(&Options { listen: Listen::Tcp, ..options() }).unwrap();
    println!("SERVER={}", server.socket_dir().display());
    if role == "exit" {
        std::process::exit(0);
    }
    // Nobody reads the answer; a session that is busy must not keep the server alive.
    let _ = query(&server, server.password(), "SELECT pg_sleep(60)");
}

/// A process group of its own in which [`owner_process`] runs.
struct OwnerProcess {
    child: Child,
    server_dir: PathBuf,
}

impl OwnerProcess {
    /// Starts one, after the commands `before`, and waits until it has its server.
    fn spawn(role: &str, before: &str) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before} exec \"$@\""), "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "owner_process", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let server_dir = output.lines().find_map(|line| {
            let line = line.unwrap();
            line.split_once("SERVER=").map(|(_, dir)| dir.into())
        });
        Self { child, server_dir: server_dir.unwrap() }
    }

    /// Signals the group, as a terminal, `timeout` or a test runner does.
    fn signal(&self, signal: Signal) {
        killpg(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    fn assert_server_runs(&self) {
        assert!(processes_with(self.server_dir.to_str().unwrap()).len() >= 2);
        let lock_file = fs::read_to_string(self.server_dir.join("data/postmaster.pid"));
        assert!(lock_file.unwrap().contains("ready"));
    }
}

impl Drop for OwnerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn whatever_ends_the_owner_ends_the_server() {
    let fatal = |signal| {
        move || {
            let mut owner = OwnerProcess::spawn("wait", "");
            owner.assert_server_runs();
            owner.signal(signal);
            assert!(!owner.child.wait().unwrap().success());
            assert_gone(&owner.server_dir);
        }
    };
    thread::scope(|scope| {
        scope.spawn(fatal(Signal::SIGKILL));
        scope.spawn(fatal(Signal::SIGTERM));
        scope.spawn(fatal(Signal::SIGINT));
        scope.spawn(fatal(Signal::SIGHUP));
        scope.spawn(|| {
            let mut owner = OwnerProcess::spawn("exit", "");
            assert!(owner.child.wait().unwrap().success());
            assert_gone(&owner.server_dir);
        });
    });
}

#[test]
fn ctrl_c_reaches_the_owner_only() {
    let mut owner = OwnerProcess::spawn("wait", "trap '' INT;");
    owner.signal(Signal::SIGINT);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(owner.child.try_wait().unwrap(), None);
    owner.assert_server_runs();
    owner.signal(Signal::SIGKILL);
    owner.child.wait().unwrap();
    assert_gone(&owner.server_dir);
}

#[test]
fn many_at_once_share_the_first_template() {
    let place = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o711)).unwrap();
    let options = Options { cache_dir: Some(place.path().to_owned()), ..options() };
    let dirs: Vec<PathBuf> = thread::scope(|scope| {
        let starts: Vec<_> =
            (0..8).map(|_| scope.spawn(|| EphemeralServer::start(&options).unwrap())).collect();
        let servers: Vec<_> = starts.into_iter().map(|it| it.join().unwrap()).collect();
        for server in &servers {
            let id = "SELECT oid FROM pg_database WHERE datname = 'postgres'";
            assert!(query(server, None, id).unwrap().is_some());
        }
        servers.iter().map(|it| it.socket_dir().to_owned()).collect()
    });
    for dir in dirs {
        assert!(!dir.exists(), "{}", dir.display());
    }
    let templates = fs::read_dir(place.path().join("migraph/ephemeral")).unwrap();
    assert_eq!(templates.count(), 1);
}

#[test]
fn tcp_asks_for_the_password() {
    let servers = [Some("pass'wörd\\"), None].map(|password| {
        EphemeralServer::start(&Options {
            listen: Listen::Tcp,
            password: password.map(str::to_owned),
            ..options()
        })
        .unwrap()
    });
    assert_ne!(servers[0].port(), servers[1].port());
    for server in &servers {
        assert_eq!(server.host(), "127.0.0.1");
        let address = "SELECT host(inet_server_addr())";
        let address = query(server, server.password(), address).unwrap();
        assert_eq!(address.as_deref(), Some("127.0.0.1"));
        let refused = query(server, Some("wrong"), "SELECT 1").unwrap_err();
        let code = refused.code().map(tokio_postgres::error::SqlState::code);
        assert_eq!(code, Some("28P01"), "{refused:?}");
        assert!(query(server, None, "SELECT 1").is_err());
    }
    assert_eq!(servers[0].password(), Some("pass'wörd\\"));
}

#[test]
fn a_socket_asks_for_the_password_it_was_given() {
    let server =
        EphemeralServer::start(&Options { password: Some("secret".to_owned()), ..options() })
            .unwrap();
    assert!(query(&server, Some("secret"), "SELECT 1").is_ok());
    assert!(query(&server, Some("wrong"), "SELECT 1").is_err());
    assert!(!server.log().contains("secret"));
}

#[test]
fn commits_outlast_a_crash_and_the_address_stays() {
    let mut server = EphemeralServer::start(&Options { listen: Listen::Tcp, ..options() }).unwrap();
    let port = server.port();
    let password = server.password().map(str::to_owned);
    let password = password.as_deref();
    query(&server, password, "CREATE TABLE t (n int)").unwrap();
    for (n, mode) in [StopMode::Immediate, StopMode::Fast].into_iter().enumerate() {
        let pid = server.pid().unwrap();
        query(&server, password, &format!("INSERT INTO t VALUES ({n})")).unwrap();
        server.stop_server(mode).unwrap();
        server.stop_server(mode).unwrap();
        assert!(is_reaped(pid));
        assert_eq!(server.pid(), None);
        assert!(query(&server, password, "SELECT 1").is_err());
        assert!(server.data_dir().exists());
        server.start_again().unwrap();
        server.start_again().unwrap();
        assert_eq!(server.port(), port);
    }
    let count = query(&server, password, "SELECT count(*) FROM t").unwrap();
    assert_eq!(count.as_deref(), Some("2"));
    assert!(server.log().contains("not properly shut down"), "{}", server.log());
}

#[test]
fn a_stopped_server_is_removed_too() {
    let mut server = start();
    let dir = server.socket_dir().to_owned();
    server.stop_server(StopMode::Fast).unwrap();
    drop(server);
    assert!(!dir.exists());
}

#[test]
fn a_port_taken_while_stopped_is_an_error() {
    let mut server = EphemeralServer::start(&Options { listen: Listen::Tcp, ..options() }).unwrap();
    let port = server.port();
    server.stop_server(StopMode::Fast).unwrap();
    let rival = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let error = server.start_again().unwrap_err();
    assert!(matches!(error, EphemeralError::PortTaken { port: it } if it == port), "{error}");
    drop(rival);
    server.start_again().unwrap();
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let began = Instant::now();
    let error = EphemeralServer::start(&Options {
        settings: vec![("shared_buffers".to_owned(), "lots".to_owned())],
        ..options()
    })
    .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, EphemeralError::Ended { .. }), "{text}");
    assert!(text.contains("invalid value for parameter \"shared_buffers\": \"lots\""), "{text}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_long_temporary_directory_is_replaced() {
    let place = tempfile::tempdir_in("/tmp").unwrap();
    let long = place.path().join("long".repeat(25));
    fs::create_dir(&long).unwrap();
    let server =
        EphemeralServer::start(&Options { temp_dir: Some(long.clone()), ..options() }).unwrap();
    assert!(!server.socket_dir().starts_with(&long));
    assert!(query(&server, None, "SELECT 1").is_ok());
}

#[test]
fn a_directory_without_binaries_is_refused() {
    let place = tempfile::tempdir_in("/tmp").unwrap();
    let error =
        EphemeralServer::start(&Options { pg_bin: Some(place.path().to_owned()), ..options() })
            .unwrap_err();
    let expected = format!(
        "`{}` holds no usable PostgreSQL server: it does not hold both `initdb` and `postgres`",
        place.path().display()
    );
    assert_eq!(error.to_string(), expected);
}
