//! PgBouncer in between: refused where it shares backends, used where it does not.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::harness::{Database, PASSWORD, Project, data_dir, start};

/// A PgBouncer in front of one database. It ends with its guard.
struct Bouncer {
    process: Child,
    _dir: TempDir,
    url: String,
}

impl Bouncer {
    /// `settings` are lines of its configuration.
    fn start(database: &Database, settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Another process may take the port before PgBouncer does.
        let started = (0..5).find_map(|_| Self::try_start(dir.path(), database, settings));
        let (process, port) = started.expect("PgBouncer starts");
        Self { process, url: Database { port, ..database.clone() }.url(), _dir: dir }
    }

    fn try_start(dir: &Path, database: &Database, settings: &str) -> Option<(Child, u16)> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = configuration(dir, database, port, settings);
        let file = dir.join("pgbouncer.ini");
        fs::write(&file, config).unwrap();
        fs::write(dir.join("users"), format!("\"postgres\" \"{PASSWORD}\"\n")).unwrap();
        let owner = fs::metadata(data_dir()).unwrap();
        let mut command = Command::new(binary());
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(dir.join("log")).unwrap());
        // It refuses to run as root, as PostgreSQL does.
        if nix::unistd::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let mut process = command.spawn().expect("pgbouncer is installed (.ci/setup --test)");
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end && process.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some((process, port));
            }
            sleep(Duration::from_millis(20));
        }
        let _ = process.kill();
        let _ = process.wait();
        None
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(dir: &Path, database: &Database, port: u16, settings: &str) -> String {
    let Database { name, port: server } = database;
    let users = dir.join("users").display().to_string();
    format!(
        "[databases]\n{name} = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\n{settings}\n"
    )
}

/// Debian's place is not in everybody's PATH.
fn binary() -> PathBuf {
    let places = ["/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"];
    places.map(PathBuf::from).into_iter().find(|path| path.is_file()).unwrap_or("pgbouncer".into())
}

fn project() -> Project {
    Project::new(&[
        ("0001_a", "", "CREATE TABLE a AS SELECT current_setting('work_mem') AS work_mem;"),
        ("0002_b", "", "SELECT pg_sleep(0.2); CREATE TABLE b ();"),
    ])
}

const SHARED: &str = "is a connection pooler in transaction or statement mode";

#[test]
fn a_pooler_that_shares_backends_is_refused() {
    let project = project();
    let ignoring = "ignore_startup_parameters = options,extra_float_digits";
    for settings in [
        "pool_mode = transaction".to_owned(),
        format!("pool_mode = transaction\n{ignoring}"),
        format!("pool_mode = transaction\nserver_round_robin = 1\nmin_pool_size = 3\n{ignoring}"),
        "pool_mode = transaction\ndefault_pool_size = 1".to_owned(),
        "pool_mode = statement".to_owned(),
    ] {
        let bouncer = Bouncer::start(&project.database, &settings);
        for verb in ["up", "plan", "status"] {
            let ended = start(project.dir.path(), &bouncer.url, &[verb], &[]).end();
            ended.exits(3).says(&[SHARED, "set MIGRAPH_DATABASE_URL to a URL"]);
        }
        let json = start(project.dir.path(), &bouncer.url, &["up", "--format", "json"], &[]);
        let json = json.end().exits(3).json();
        assert_eq!(json["errors"][0]["code"], "pooler-shares-backends", "{settings}");
    }
    assert_eq!(project.database.sql("SELECT to_regclass('a') IS NULL"), "t");
    assert_eq!(project.database.sql("SELECT to_regnamespace('migraph') IS NULL"), "t");
    // The remedy, as the message has it.
    let bouncer = Bouncer::start(&project.database, "pool_mode = transaction");
    let direct = project.database.url();
    let remedy = [("MIGRAPH_DATABASE_URL", direct.as_str())];
    start(project.dir.path(), &bouncer.url, &["up"], &remedy).end().exits(0);
}

/// What a session is expected to have, whatever ran in it before.
const SETTINGS: &str = "SELECT current_setting('standard_conforming_strings') AS strings, current_setting('client_connection_check_interval', true) AS checked, current_setting('idle_session_timeout', true) AS idle, current_setting('work_mem') AS memory, current_setting('search_path') AS path, current_setting('application_name') AS name, current_setting('client_encoding') AS encoding, current_setting('migraph.left', true) AS left_behind, pg_backend_pid() AS pid";

#[test]
fn in_session_mode_every_migration_has_the_baseline() {
    for settings in
        ["pool_mode = session", "pool_mode = session\nignore_startup_parameters = options"]
    {
        let project = Project::new(&[]);
        project.write("0001_seen", "", &format!("CREATE TABLE public.seen AS {SETTINGS};"));
        let mess = "SET work_mem = '9MB'; SET search_path = nowhere; SET application_name = 'x'; SET client_encoding = 'LATIN1'; SET standard_conforming_strings = off; SELECT set_config(name, '1h', false) FROM pg_settings WHERE name = 'idle_session_timeout'; SELECT set_config('migraph.left', 'x', false); CREATE TEMP TABLE t (); LISTEN x; PREPARE s0 AS SELECT 1;";
        project.write("0002_mess", "0001_seen", mess);
        let again = format!("INSERT INTO public.seen {SETTINGS}; CREATE TEMP TABLE t ();");
        project.write("0003_again", "0002_mess", &again);
        project.write(
            "0004_index",
            "0003_again",
            "CREATE INDEX CONCURRENTLY i ON public.seen (pid);\nSET work_mem = '8MB';",
        );
        let noted = format!("DROP TABLE IF EXISTS nothing; {again}");
        project.write("0005_again", "0004_index", &noted);
        let bouncer = Bouncer::start(&project.database, settings);
        let options = [("PGOPTIONS", r"-c work_mem=3MB --search-path=public,\ pg_temp")];
        let up = ["up", "-v", "--jobs", "1"];
        let ended = start(project.dir.path(), &bouncer.url, &up, &options).end().exits(0);
        ended.says(&["0005_again: NOTICE: table \"nothing\" does not exist, skipping"]);
        let expected = "on|500ms|0|3MB|public, pg_temp|migraph|UTF8||1|3".to_owned();
        let seen = "SELECT strings, coalesce(checked, '500ms'), coalesce(idle, '0'), memory, path, name, encoding, coalesce(nullif(left_behind, ''), ''), count(DISTINCT pid), count(*) FROM public.seen GROUP BY 1, 2, 3, 4, 5, 6, 7, 8";
        assert_eq!(project.database.sql(seen), expected, "one session, as new each time");
        for verb in ["plan", "status"] {
            start(project.dir.path(), &bouncer.url, &[verb], &options).end().exits(0);
        }
    }
}

#[test]
fn in_session_mode_runs_wait_for_each_other_and_signals_cancel() {
    let project = project();
    let bouncer = Bouncer::start(&project.database, "pool_mode = session");
    let runs: Vec<_> = (0..4)
        .map(|_| start(project.dir.path(), &bouncer.url, &["up", "--jobs", "2"], &[]))
        .collect();
    for run in runs {
        run.end().exits(0);
    }
    assert_eq!(project.ledger(), "0001_a 0002_b");
    project.write("0003_slow", "", "SELECT pg_sleep(600);");
    let run = start(project.dir.path(), &bouncer.url, &["up"], &[]);
    let slow = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep(600)%'";
    project.database.until(slow, "1");
    run.signal(Signal::SIGTERM);
    run.end().exits(143).says(&["cancelled 0003_slow"]);
    // A killed run leaves nothing working either, and no lock.
    let run = start(project.dir.path(), &bouncer.url, &["up"], &[]);
    project.database.until(slow, "1");
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end().code, None);
    project.database.end_orphans();
    project.write("0003_slow", "", "SELECT 1;");
    start(project.dir.path(), &bouncer.url, &["up"], &[]).end().exits(0);
    project.database.until(slow, "0");
}

#[test]
fn a_pooler_with_too_few_sessions_says_so() {
    let project = project();
    let bouncer = Bouncer::start(&project.database, "pool_mode = session\ndefault_pool_size = 1");
    let none = start(project.dir.path(), &bouncer.url, &["status"], &[]).end();
    none.exits(3).says(&["no second session within 10 s", "pool_size"]);
    // Two workers and the run itself need three.
    let bouncer = Bouncer::start(&project.database, "pool_mode = session\ndefault_pool_size = 2");
    let few = start(project.dir.path(), &bouncer.url, &["up", "--jobs", "2"], &[]).end();
    few.exits(0).says(&["again in", "no session within 10 s"]);
    assert_eq!(project.ledger(), "0001_a 0002_b");
}

#[test]
fn startup_options_that_are_no_settings_cannot_pass_a_pooler() {
    let project = project();
    let bouncer = Bouncer::start(&project.database, "pool_mode = session");
    let options = [("PGOPTIONS", "-d 1")];
    let ended = start(project.dir.path(), &bouncer.url, &["up"], &options).end();
    ended.exits(3).says(&["`-d` in `options` or PGOPTIONS is no setting"]);
}
