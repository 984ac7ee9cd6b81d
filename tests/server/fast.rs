//! `up --fast`.

use super::harness::{Project, start};

#[test]
fn a_fast_run_is_tuned_and_flushed() {
    let sql = "CREATE TABLE seen AS SELECT current_setting('synchronous_commit') AS s, current_setting('maintenance_work_mem') AS m, current_setting('work_mem') AS w;";
    let project = Project::new(&[
        ("0001_a", "", sql),
        (
            "0002_b",
            "0001_a",
            "CREATE TABLE b AS SELECT current_setting('synchronous_commit') AS s;",
        ),
    ]);
    let file = project.dir.path().join("tuned.toml");
    std::fs::write(&file, "fast = true\n[tuning]\nwork_mem = \"33 MB\"\n").unwrap();
    project.run(&["up", "--config", file.to_str().unwrap(), "--jobs", "1"]).exits(0);
    assert_eq!(project.database.sql("SELECT s, m, w FROM seen"), "off|256MB|33MB");
    assert_eq!(project.database.sql("SELECT s FROM b"), "off", "DISCARD ALL goes back to it");
    let flushed =
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn()) <= 8192";
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
