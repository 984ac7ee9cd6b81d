//! `up --fast`.

use migraph::postgres::ephemeral::{EphemeralServer, Options, StopMode};
use nix::sys::signal::Signal;

use super::crashes::running;
use super::harness::{Project, database_on, options, start};

#[test]
fn a_fast_run_is_tuned_and_flushed() {
    let sql = "CREATE TABLE seen AS SELECT current_setting('synchronous_commit') AS s, current_setting('maintenance_work_mem') AS m, current_setting('work_mem') AS w;";
    let project = Project::new(&[
        ("0001_a", "", sql),
        (
            "0002_b",
            "0001_a",
            "CREATE TABLE b AS SELECT current_setting('synchronous_commit') AS s, pg_current_wal_insert_lsn() AS at;",
        ),
    ]);
    let file = project.dir.path().join("tuned.toml");
    std::fs::write(&file, "fast = true\n[tuning]\nwork_mem = \"33 MB\"\n").unwrap();
    project.run(&["up", "--config", file.to_str().unwrap(), "--jobs", "1"]).exits(0);
    assert_eq!(project.database.sql("SELECT s, m, w FROM seen"), "off|256MB|33MB");
    assert_eq!(project.database.sql("SELECT s FROM b"), "off", "DISCARD ALL goes back to it");
    let flushed = "SELECT pg_current_wal_flush_lsn() >= at FROM b";
    assert_eq!(project.database.sql(flushed), "t");
}

#[test]
fn settings_that_a_session_cannot_have_are_explained_before_anything_runs() {
    let project = Project::new(&[("0001_a", "", "CREATE TABLE a ();")]);
    let file = project.dir.path().join("tuned.toml");
    let tuning = "fast = true\n[tuning]\nmax_wal_size = \"8GB\"\nshared_buffers = \"1GB\"\nwork_men = \"1MB\"\nwork_mem = \"much\"\n";
    std::fs::write(&file, tuning).unwrap();
    let ended = start(
        project.dir.path(),
        &project.database.url(),
        &["up", "--config", file.to_str().unwrap()],
        &[],
    )
    .end();
    ended.exits(2).says(&[
        "`max_wal_size` cannot be set to `8GB` for a session: it belongs to the whole server",
        "`shared_buffers` cannot be set",
        "`work_men` cannot be set to `1MB` for a session: there is no such setting",
        "invalid value for parameter",
        "[tuning]",
    ]);
    assert_eq!(project.database.sql("SELECT to_regclass('a') IS NULL"), "t");
}

/// The killed run's commits are seen by the next one before they are on disk.
#[test]
fn what_a_killed_fast_run_has_applied_lasts_once_the_next_run_says_so() {
    let lazy = vec![("wal_writer_delay".to_owned(), "10s".to_owned())];
    let mut server = EphemeralServer::start(&Options { settings: lazy, ..options() }).unwrap();
    let database = database_on(&server);
    let migrations =
        [("0001_a", "", "CREATE TABLE a ();"), ("0002_b", "0001_a", "SELECT pg_sleep(600);")];
    let project = Project { database: database.clone(), ..Project::new(&migrations) };
    let run = project.start(&["up", "--fast"]);
    running(&database, "pg_sleep(600)", 1);
    run.signal(Signal::SIGKILL);
    run.end();
    project.database.end_orphans();
    project.database.until_gone();
    project.run(&["up", "--target", "0001_a"]).exits(0).says(&["Nothing to do"]);
    server.stop_server(StopMode::Immediate).unwrap();
    server.start_again().unwrap();
    assert_eq!(project.ledger(), "0001_a");
}
