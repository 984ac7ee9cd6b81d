//! What `up` does when all goes well.

use super::harness::Project;

#[test]
fn a_migration_is_recorded_with_all_that_is_known_of_it() {
    let project = Project::new(&[]);
    let text = "-- @name: Add \"it's\"\n-- @dependencies: []\n-- UP MIGRATION\nCREATE TABLE a (x text DEFAULT 'ü');\n-- DOWN MIGRATION\nDROP TABLE a;\n";
    std::fs::write(project.file("0001_a"), text).unwrap();
    project.write("0002_b", "0001_a", "CREATE TABLE b ();");
    let json = project.run(&["up", "--format", "json"]).exits(0).json();
    assert_eq!(json["outcome"], "applied");
    assert_eq!(json["migrations"][1]["layer"], 1);
    let sql = "SELECT id, name, checksum_algorithm, length(checksum), down_script, length(down_checksum), dependencies, layer, applied_by, execution_time_ms > 0, applied_at > now() - interval '1 minute', batch_id FROM migraph.__migrations__ ORDER BY id";
    let rows = project.database.sql(sql);
    let batch = json["batch_id"].as_str().unwrap();
    let expected = [
        format!(
            "0001_a|Add \"it's\"|migraph-tokens-1|64|\nDROP TABLE a;\n|64|{{}}|0|postgres|t|t|{batch}"
        ),
        format!("0002_b|0002_b|migraph-tokens-1|64|||{{0001_a}}|1|postgres|t|t|{batch}"),
    ];
    assert_eq!(rows, expected.join("\n"));
    let attempts = "SELECT migration_id, outcome, started_at <= finished_at, backend_pid > 0, host <> '' FROM migraph.__migration_attempts__ ORDER BY 1";
    assert_eq!(project.database.sql(attempts), "0001_a|applied|t|t|t\n0002_b|applied|t|t|t");
    project.run(&["up"]).exits(0).says(&["Nothing to do"]);
    let again = project.run(&["up", "--format", "json"]).exits(0).json();
    assert_eq!(again["outcome"], "nothing-to-do");
    project.database.until_gone();
}

#[test]
fn a_later_file_that_an_applied_one_needs_is_simply_pending() {
    let project = Project::new(&[("0002_b", "", "CREATE TABLE b ();")]);
    project.run(&["up"]).exits(0);
    project.write("0001_a", "", "CREATE TABLE a ();");
    project.write("0002_b", "0001_a", "CREATE TABLE b ();");
    project.run(&["up"]).exits(0);
    assert_eq!(project.ledger(), "0001_a 0002_b");
}

#[test]
fn twenty_runs_at_the_same_moment_apply_everything_once() {
    let sql =
        "CREATE TABLE IF NOT EXISTS n (i int); INSERT INTO n VALUES (1); SELECT pg_sleep(0.1);";
    let project =
        Project::new(&[("0001_a", "", sql), ("0002_b", "0001_a", sql), ("0003_c", "0002_b", sql)]);
    let runs: Vec<_> = (0..20).map(|_| project.start(&["up", "--format", "json"])).collect();
    let ended: Vec<_> = runs.into_iter().map(|run| run.end().exits(0)).collect();
    let applied: usize =
        ended.iter().map(|run| run.json()["migrations"].as_array().unwrap().len()).sum();
    assert_eq!(applied, 3);
    assert_eq!(project.database.sql("SELECT count(*) FROM n"), "3");
    assert_eq!(project.ledger(), "0001_a 0002_b 0003_c");
}

#[test]
fn a_run_that_may_not_wait_says_who_holds_the_lock() {
    let project = Project::new(&[("0001_a", "", "SELECT pg_sleep(2);")]);
    let first = project.start(&["up"]);
    project.database.until("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(2)%' AND datname = current_database() AND pid <> pg_backend_pid()", "1");
    let second = project.run(&["up", "--wait-lock", "0"]).exits(4);
    second.says(&["another run is in the way", "pid ", "migraph, user postgres", "--wait-lock"]);
    let third = project.run(&["up", "--wait-lock", "1"]).exits(4);
    third.says(&[
        "waiting for another run to end\n  it is led by pid ",
        " applies 0001_a, for ",
        ": SELECT pg_sleep(2);",
        "to end it: stop that migraph on 127.0.0.1, or SELECT pg_terminate_backend(",
        "did not end within 1 s",
    ]);
    first.end().exits(0);
}

#[test]
fn a_dry_run_touches_nothing() {
    let project = Project::new(&[("0001_a", "", "CREATE TABLE a ();")]);
    project.run(&["up", "--dry-run"]).exits(0).says(&["0001_a"]);
    assert_eq!(
        project.database.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'migraph'"),
        "0"
    );
    assert_eq!(project.database.sql("SELECT to_regclass('a') IS NULL"), "t");
}

#[test]
fn nothing_of_a_session_is_left_for_the_next_migration() {
    let leave = "SET search_path = pg_catalog; SET statement_timeout = '1h'; CREATE TEMP TABLE left_behind (a int);
        PREPARE p AS SELECT 1; LISTEN l; SELECT set_config('my.var', 'x', false); CREATE ROLE left_role; SET ROLE left_role;
        SELECT pg_advisory_lock(42); DECLARE c CURSOR WITH HOLD FOR SELECT 1;";
    let check = "DO $$ BEGIN
        ASSERT current_setting('search_path') LIKE '%public%', 'search_path';
        ASSERT current_setting('statement_timeout') = '0', 'statement_timeout';
        ASSERT to_regclass('left_behind') IS NULL, 'temp table';
        ASSERT NOT EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'p'), 'prepared statement';
        ASSERT NOT EXISTS (SELECT FROM pg_listening_channels()), 'listen';
        ASSERT coalesce(current_setting('my.var', true), '') = '', 'custom setting';
        ASSERT current_user = session_user, 'role';
        ASSERT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND pid = pg_backend_pid()), 'lock';
        ASSERT NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'c'), 'cursor';
        END $$; CREATE TABLE checked ();";
    let project = Project::new(&[("0001_leave", "", leave), ("0002_check", "0001_leave", check)]);
    project.run(&["up", "--jobs", "1"]).exits(0);
    let pids = "SELECT count(DISTINCT backend_pid) FROM migraph.__migration_attempts__";
    assert_eq!(project.database.sql(pids), "1", "both ran in one session");
    project.database.sql("DROP ROLE left_role");
}

#[test]
fn an_enclosing_transaction_becomes_ours_with_its_modes() {
    let sql = "BEGIN ISOLATION LEVEL SERIALIZABLE; -- ours
        CREATE TABLE level AS SELECT current_setting('transaction_isolation') AS it;
        SAVEPOINT s; INSERT INTO level VALUES ('gone'); ROLLBACK TO s;
        COMMIT;";
    let project = Project::new(&[("0001_a", "", sql)]);
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT it FROM level"), "serializable");
}

#[test]
fn migrations_that_exclude_each_other_never_run_together() {
    let sql = "DO $$ BEGIN ASSERT pg_try_advisory_xact_lock(7), 'together'; PERFORM pg_sleep(0.1); END $$;";
    let project = Project::new(&[]);
    for (id, exclusive) in [("0001_a", "0002_b, 0003_c"), ("0002_b", "0003_c"), ("0003_c", "")] {
        let text = format!("-- @dependencies: []\n-- @exclusiveWith: [{exclusive}]\n{sql}\n");
        std::fs::write(project.file(id), text).unwrap();
    }
    project.run(&["up", "--jobs", "3"]).exits(0);
}

#[test]
fn the_headers_timeouts_hold_for_their_migration() {
    let project = Project::new(&[]);
    let text = "-- @dependencies: []\n-- @statementTimeout: 100ms\n-- @lockTimeout: 2s\nCREATE TABLE a AS SELECT current_setting('lock_timeout');\nSELECT pg_sleep(5);\n";
    std::fs::write(project.file("0001_a"), text).unwrap();
    project.run(&["up"]).exits(1).says(&[
        "statement timeout",
        "SQLSTATE 57014",
        "statement 2 of 2",
    ]);
    std::fs::write(project.file("0001_a"), text.replace("SELECT pg_sleep(5);\n", "")).unwrap();
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT * FROM a"), "2s");
}
