//! Signals, killed runs, killed backends.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::harness::{Database, Project, UNWATCHED, database_on, options, start};
use migraph::postgres::ephemeral::{EphemeralServer, StopMode};

/// Waits until so many backends run a statement that contains `sql`.
pub fn running(database: &Database, sql: &str, n: usize) {
    let count = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%{sql}%'"
    );
    database.until(&count, &n.to_string());
}

fn sleepers(seconds: &str) -> Project {
    let sql = format!("CREATE TABLE IF NOT EXISTS z (i int); SELECT pg_sleep({seconds});");
    Project::new(&[
        ("0001_a", "", &sql.replace('z', "a")),
        ("0002_b", "", &sql.replace('z', "b")),
        ("0003_c", "", "CREATE TABLE c (i int);"),
        ("0004_d", "0001_a", "CREATE TABLE d (i int);"),
    ])
}

#[test]
fn an_interrupt_lets_what_runs_finish() {
    let project = sleepers("2");
    let run = project.start(&["up", "--jobs", "2"]);
    running(&project.database, "pg_sleep(2)", 2);
    run.signal(Signal::SIGINT);
    let ended = run.end().exits(130);
    ended.says(&[
        "stopping: nothing new is started, 2 running migrations will finish",
        "2 of 4 migrations",
    ]);
    assert_eq!(project.ledger(), "0001_a 0002_b");
    project.database.until_gone();
    project.run(&["up"]).exits(0);
}

#[test]
fn a_second_interrupt_or_a_sigterm_cancels_on_the_server() {
    for signals in [&[Signal::SIGINT, Signal::SIGINT][..], &[Signal::SIGTERM]] {
        let project = sleepers("600");
        let run = project.start(&["up", "--jobs", "2"]);
        running(&project.database, "pg_sleep(600)", 2);
        for signal in signals {
            run.signal(*signal);
            std::thread::sleep(Duration::from_millis(100));
        }
        let code = if signals.len() == 2 { 130 } else { 143 };
        run.end().exits(code).says(&["cancelling 2 running migrations", "cancelled 0001_a"]);
        assert_eq!(project.ledger(), "");
        project.database.until_gone();
        let cancelled =
            "SELECT count(*) FROM migraph.__migration_attempts__ WHERE outcome = 'cancelled'";
        assert_eq!(project.database.sql(cancelled), "2");
    }
}

#[test]
fn a_signal_while_waiting_for_the_lock_ends_the_wait() {
    let project = sleepers("600");
    let first = project.start(&["up"]);
    running(&project.database, "pg_sleep(600)", 2);
    let second = project.start(&["up"]);
    // The first has its coordinator's session and three workers'.
    project.database.until("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migraph' AND datname = current_database()", "5");
    second.signal(Signal::SIGINT);
    second.end().exits(130).says(&["stopped before anything was run"]);
    first.signal(Signal::SIGTERM);
    first.end().exits(143);
}

/// A backend that goes on when its client is gone: the setting that ends it is
/// switched off by the script itself.
#[test]
fn a_killed_run_leaves_an_orphan_that_the_next_run_waits_for() {
    let orphan = format!("{UNWATCHED} INSERT INTO n VALUES (1); SELECT pg_sleep(3);");
    let count = "INSERT INTO n VALUES (2);";
    let project = Project::new(&[
        ("0001_n", "", "CREATE TABLE n (i int);"),
        ("0002_orphan", "0001_n", &orphan),
        ("0003_after", "0002_orphan", count),
        ("0004_after", "0003_after", count),
    ]);
    let run = project.start(&["up"]);
    running(&project.database, "pg_sleep(3)", 1);
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end().code, None);
    let next = project.run(&["up"]).exits(0);
    next.says(&["waiting for what a run that died has left working", "pg_terminate_backend("]);
    assert_eq!(project.database.sql("SELECT i, count(*) FROM n GROUP BY i ORDER BY i"), "1|1\n2|2");
    assert_eq!(project.ledger(), "0001_n 0002_orphan 0003_after 0004_after");
}

#[test]
fn a_statement_that_was_cut_off_outside_a_transaction_stops_the_next_run() {
    // A block that commits cannot be in a transaction of ours.
    let sql = "VACUUM n;\nDO $$ BEGIN PERFORM pg_sleep(600); INSERT INTO n VALUES (1); COMMIT; END $$;\nINSERT INTO n VALUES (2);";
    let project =
        Project::new(&[("0001_n", "", "CREATE TABLE n (i int);"), ("0002_v", "0001_n", sql)]);
    let run = project.start(&["up"]);
    running(&project.database, "pg_sleep(600)", 1);
    run.signal(Signal::SIGKILL);
    run.end();
    project.database.end_orphans();
    project.database.until_gone();
    let stopped = project.run(&["up"]).exits(1);
    stopped.says(&[
        "statement 2 of `0002_v` was begun",
        "0002_v.sql:3:1",
        "migraph repair 0002_v --retry",
        "migraph repair 0002_v --resume-at 3",
        "migraph repair 0002_v --mark-applied",
    ]);
    // The operator looked: it was not done.
    project.run(&["repair", "0002_v", "--retry"]).exits(0).says(&["at statement 2 of its 3"]);
    project.write("0002_v", "0001_n", &sql.replace("600", "0"));
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT i FROM n ORDER BY i"), "1\n2");
}

#[test]
fn a_terminated_backend_has_rolled_back() {
    let project = sleepers("600");
    let run = project.start(&["up", "--jobs", "1"]);
    running(&project.database, "pg_sleep(600)", 1);
    project.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() AND datname = current_database()");
    run.end().exits(1).says(&["SQLSTATE 57P01"]);
    assert_eq!(project.ledger(), "");
}

#[test]
fn a_worker_that_was_lost_while_idle_is_replaced() {
    let project = Project::new(&[
        ("0001_quick", "", "CREATE TABLE a ();"),
        ("0002_slow", "", "SELECT pg_sleep(2);"),
        ("0003_b", "0001_quick", "CREATE TABLE b ();"),
        ("0004_c", "0001_quick", "CREATE TABLE c ();"),
    ]);
    let run = project.start(&["up", "--jobs", "2"]);
    running(&project.database, "pg_sleep(2)", 1);
    let idle = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = 'DISCARD ALL' AND state = 'idle' AND datname = current_database()";
    project.database.until(idle, "1");
    run.end().exits(0);
    assert_eq!(project.ledger(), "0001_quick 0002_slow 0003_b 0004_c");
}

#[test]
fn losing_the_lock_cancels_what_runs_and_ends_the_run() {
    let project = sleepers("600");
    let run = project.start(&["up", "--jobs", "2"]);
    running(&project.database, "pg_sleep(600)", 2);
    let idle = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migraph' AND state = 'idle' AND datname = current_database()";
    project.database.sql(idle);
    run.end().exits(1).says(&["The run lock was lost", "cancelled 0001_a", "cancelled 0002_b"]);
    assert_eq!(project.ledger(), "");
    project.database.until_gone();
    let cancelled =
        "SELECT count(*) FROM migraph.__migration_attempts__ WHERE outcome = 'cancelled'";
    assert_eq!(project.database.sql(cancelled), "2", "recorded without the lock's session");
    let run = project.start(&["up", "--jobs", "2", "--format", "json"]);
    running(&project.database, "pg_sleep(600)", 2);
    project.database.sql(idle);
    let document = run.end().exits(1).json();
    assert_eq!(document["outcome"], "failed");
    assert_eq!(document["errors"][0]["code"], "lock-lost");
}

#[test]
fn a_server_that_dies_in_the_middle_loses_nothing() {
    let mut server = EphemeralServer::start(&options()).unwrap();
    let database = database_on(&server);
    let project = Project { database: database.clone(), ..sleepers("600") };
    let run = start(project.dir.path(), &database.url(), &["up", "--jobs", "2"], &[]);
    running(&database, "pg_sleep(600)", 2);
    server.stop_server(StopMode::Immediate).unwrap();
    server.start_again().unwrap();
    run.end().exits(1).says(&["migration `0001_a` failed", "nothing of it was applied"]);
    assert_eq!(project.ledger(), "");
    for id in ["0001_a", "0002_b"] {
        project.write(id, "", "SELECT 1;");
    }
    project.run(&["up"]).exits(0);
}

#[test]
fn a_try_that_could_not_be_recorded_is_told_so() {
    let mut server = EphemeralServer::start(&options()).unwrap();
    let database = database_on(&server);
    let project = Project { database: database.clone(), ..sleepers("600") };
    let args = ["up", "--jobs", "1", "--format", "json", "--target", "0001_a"];
    let run = start(project.dir.path(), &database.url(), &args, &[]);
    running(&database, "pg_sleep(600)", 1);
    // The failure comes with an SQLSTATE, so nobody has to ask what became of it.
    server.stop_server(StopMode::Fast).unwrap();
    let json = run.end().exits(1).json();
    server.start_again().unwrap();
    let migration = &json["migrations"][0];
    assert_eq!(migration["unrecorded"], 1, "{json}");
    let why = migration["failure"]["unrecorded"].as_str().unwrap();
    assert!(why.contains("cannot connect to"), "{why}");
    assert_eq!(database.sql("SELECT count(*) FROM migraph.__migration_attempts__"), "0");
}
