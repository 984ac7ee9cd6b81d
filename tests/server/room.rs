//! Servers that are not there yet, or have little room.

use std::time::{Duration, Instant};

use migraph::postgres::ephemeral::{EphemeralServer, StopMode};

use super::harness::{Database, Project, connect, database_on, options, start};

fn project() -> Project {
    Project::new(&[("0001_a", "", "CREATE TABLE a ();"), ("0002_b", "", "CREATE TABLE b ();")])
}

#[test]
fn a_server_that_starts_in_time_is_waited_for() {
    let mut server = EphemeralServer::start(&options()).unwrap();
    let database = database_on(&server);
    let project = Project { database: database.clone(), ..project() };
    server.stop_server(StopMode::Fast).unwrap();
    let url = database.url();
    let verbs = [["plan", "-q"], ["status", "-q"], ["up", "-v"]];
    let began = Instant::now();
    for verb in verbs {
        start(project.dir.path(), &url, &verb, &[]).end().exits(3).says(&["Connection refused"]);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "nobody asked to wait");
    let waiting: Vec<_> = (verbs.iter())
        .map(|verb| start(project.dir.path(), &url, verb, &[("MIGRAPH_WAIT_SERVER", "60")]))
        .collect();
    std::thread::sleep(Duration::from_millis(700));
    server.start_again().unwrap();
    for (run, verb) in waiting.into_iter().zip(verbs) {
        let ended = run.end().exits(0);
        let said = ended.stderr.contains("waiting for the server: cannot connect to database");
        assert_eq!(said, verb[0] == "up", "{}", ended.stderr);
    }
}

#[test]
fn a_server_that_does_not_come_is_given_up() {
    let project = project();
    let began = Instant::now();
    let url = "postgres:///d?host=/nonexistent&user=u";
    let run = start(project.dir.path(), url, &["up", "--wait-server", "2"], &[]);
    let ended = run.end().exits(3).says(&["waiting for the server", "No such file"]);
    let waited = began.elapsed();
    assert!(waited > Duration::from_millis(500) && waited < Duration::from_secs(8), "{waited:?}");
    let words = ended.stderr.matches("waiting for the server").count();
    assert_eq!(words, 1, "every few seconds only: {}", ended.stderr);
}

#[test]
fn what_waiting_cannot_mend_fails_at_once() {
    let project = project();
    let database = &project.database;
    let cases = [
        (database.url_as("postgres", "wrong-pw"), "password authentication failed"),
        (database.url().replace(&database.name, "nosuchdb"), "\"nosuchdb\" does not exist"),
        ("postgres://u@nosuchhost.invalid/d".to_owned(), "nosuchhost.invalid"),
    ];
    for (url, reason) in cases {
        let began = Instant::now();
        let run = start(project.dir.path(), &url, &["status", "--wait-server", "600"], &[]);
        run.end().exits(3).says(&[reason]);
        assert!(began.elapsed() < Duration::from_secs(30), "{reason}");
    }
}

/// A role that may log in `limit` times.
fn limited(database: &Database, limit: usize) -> String {
    let role = format!("limited_{}_{limit}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'pw' CONNECTION LIMIT {limit}; GRANT CREATE ON DATABASE {} TO {role}; GRANT CREATE ON SCHEMA public TO {role}",
        database.name
    ));
    database.url_as(&role, "pw")
}

#[test]
fn a_role_without_a_free_session_is_waited_for() {
    let project = project();
    let url = limited(&project.database, 1);
    // A connection lives as long as the runtime that it was opened on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let taken = runtime.block_on(connect(&url));
    let status = |args: &[&str]| start(project.dir.path(), &url, args, &[]);
    let refused = status(&["status"]).end().exits(3);
    refused.says(&["too many connections for role", "run with fewer `--jobs`"]);
    let waiting = status(&["status", "--wait-server", "60"]);
    std::thread::sleep(Duration::from_millis(700));
    drop((taken, runtime));
    waiting.end().exits(0).says(&["waiting for the server", "pending"]);
}

#[test]
fn the_default_is_what_is_left_and_is_said() {
    let project = project();
    let name = &project.database.name;
    // One is the coordinator's.
    let url = limited(&project.database, 3);
    // A backend is counted for a moment after its client has gone.
    let elsewhere = Database { name: "postgres".into(), ..project.database.clone() };
    let left = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'"
    );
    let run = |args: &[&str]| {
        elsewhere.until(&left, "0");
        start(project.dir.path(), &url, args, &[]).end().exits(0)
    };
    run(&["plan"]).says(&["2 workers, because the server has room for 2 sessions", "limit is 3"]);
    let json = run(&["plan", "--format", "json"]).json();
    assert_eq!(json["estimates"]["workers"], 2);
    assert_eq!(json["warnings"][0]["code"], "few-connections");
    run(&["plan", "--jobs", "7"]).says(&["--jobs 7 needs 7 sessions", "7 workers"]);
    let plenty = run(&["plan", "--jobs", "2"]);
    assert!(!plenty.all().contains("because") && !plenty.all().contains("needs 2"));
    run(&["up", "--dry-run"]).says(&["2 workers, because"]);
    let up = run(&["up", "--format", "json"]);
    assert_eq!(up.json()["jobs"], 2, "{}", up.all());
    assert!(up.stderr.contains("2 workers, because"), "{}", up.stderr);
    let status = run(&["up"]);
    assert!(!status.all().contains("workers"), "nothing to do needs no workers");
    project.database.sql(&format!("ALTER DATABASE {name} CONNECTION LIMIT 2"));
    project.write("0003_c", "", "CREATE TABLE c ();");
    run(&["up"]).says(&["1 worker, because", "the database's connection limit is 2"]);
    // Neither limit holds for a superuser.
    let superuser = project.run(&["plan", "--format", "json"]).exits(0).json();
    assert_eq!(superuser["estimates"]["workers"], 4);
}
