//! Scripts with transactions of their own: each is done and recorded, or neither.

use nix::sys::signal::Signal;

use super::crashes::running;
use super::harness::{Project, UNWATCHED};

const STEPS: &str =
    "SELECT statement, finished_at IS NOT NULL FROM migraph.__migration_statements__ ORDER BY 1";
const NUMBERS: &str = "SELECT string_agg(i::text, ' ' ORDER BY i) FROM n";

fn project(sql: &str) -> Project {
    Project::new(&[("0001_n", "", "CREATE TABLE n (i int);"), ("0002_s", "0001_n", sql)])
}

#[test]
fn each_block_is_a_transaction_of_its_own() {
    let sql = "INSERT INTO n SELECT 0;\nBEGIN;\nINSERT INTO n SELECT 1;\nINSERT INTO n SELECT 2;\nCOMMIT;\nBEGIN ISOLATION LEVEL SERIALIZABLE;\nINSERT INTO n SELECT 3;\nCOMMIT AND CHAIN;\nINSERT INTO n SELECT 4 WHERE current_setting('transaction_isolation') = 'serializable';\nCOMMIT;";
    let project = project(sql);
    project.run(&["plan"]).exits(0).says(&["runs in several transactions"]);
    let ended = project.run(&["up", "-v"]).exits(0);
    ended.says(&[
        "0002_s: statement 1 of 5",
        "0002_s: statement 2 of 5",
        "0002_s: statement 5 of 5",
    ]);
    assert_eq!(project.database.sql(NUMBERS), "0 1 2 3 4");
    assert_eq!(project.database.sql(STEPS), "1|t\n2|t\n4|t\n5|t");
    assert_eq!(project.ledger(), "0001_n 0002_s");
    let attempt = "SELECT outcome, execution_time_ms > 0 FROM migraph.__migration_attempts__ JOIN migraph.__migrations__ ON id = migration_id WHERE id = '0002_s'";
    assert_eq!(project.database.sql(attempt), "applied|t");
}

#[test]
fn a_failed_segment_is_rolled_back_whole_and_the_next_run_goes_on_there() {
    let sql = "BEGIN;\nINSERT INTO n SELECT 1;\nCOMMIT;\nBEGIN;\nINSERT INTO n SELECT 2;\n  INSERT INTO n SELECT nope;\nCOMMIT;\nBEGIN;\nINSERT INTO n SELECT 3;\nCOMMIT;";
    let project = project(sql);
    project.run(&["up"]).exits(1).says(&["0002_s.sql:7:24", "statement 3 of 4", "SQLSTATE 42703"]);
    assert_eq!(project.database.sql(NUMBERS), "1");
    assert_eq!(project.database.sql(STEPS), "1|t");
    project.run(&["status"]).exits(0).says(&["unfinished 0002_s", "1 of 4 statements done"]);
    // What is done must stay as it was.
    project.write("0002_s", "0001_n", &sql.replace("SELECT 1", "SELECT 9"));
    let refused = project.run(&["up"]).exits(1);
    refused.says(&["statement 1 of `0002_s` was run by an earlier run", "0002_s.sql:3:1"]);
    project.write("0002_s", "0001_n", &sql.replace("nope", "22"));
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(NUMBERS), "1 2 3 22");
}

#[test]
fn a_changed_segment_that_is_done_refuses_to_go_on() {
    let sql = "BEGIN;\nINSERT INTO n SELECT 1;\nINSERT INTO n SELECT 2;\nCOMMIT;\nSELECT nope;";
    let project = project(sql);
    project.run(&["up"]).exits(1);
    project.run(&["status"]).exits(0).says(&["2 of 3 statements done"]);
    project.write("0002_s", "0001_n", &sql.replace("SELECT 2;", "SELECT 2; SELECT 3;"));
    project
        .run(&["up"])
        .exits(1)
        .says(&["the transaction that begins with statement 1 of `0002_s`"]);
    project.write(
        "0002_s",
        "0001_n",
        &sql.replace("SELECT 2;\nCOMMIT", "SELECT /* two */ 2;\nEND"),
    );
    project.run(&["up"]).exits(1).says(&["statement 3 of 3", "column \"nope\" does not exist"]);
}

/// Counts in tables that are not idempotent, so that anything done twice shows.
#[test]
fn a_run_that_is_killed_within_a_segment_goes_on_behind_the_last_one() {
    let sql = "VACUUM n;\nBEGIN;\nINSERT INTO n SELECT 1;\nCOMMIT;\nINSERT INTO n SELECT 2;\nBEGIN;\nINSERT INTO n SELECT 3;\nSELECT pg_sleep(600);\nCOMMIT;\nBEGIN;\nINSERT INTO n SELECT 4;\nCOMMIT;";
    let project = project(sql);
    let run = project.start(&["up"]);
    running(&project.database, "pg_sleep(600)", 1);
    run.signal(Signal::SIGKILL);
    run.end();
    project.database.end_orphans();
    project.database.until_gone();
    assert_eq!(project.database.sql(NUMBERS), "1 2");
    assert_eq!(project.database.sql(STEPS), "1|t\n2|t\n3|t");
    project.write("0002_s", "0001_n", &sql.replace("600", "0"));
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(NUMBERS), "1 2 3 4");
    assert_eq!(project.ledger(), "0001_n 0002_s");
}

/// The statement waits in a segment whose `COMMIT` is in the same message, and
/// whose client is gone: it is committed with its record.
#[test]
fn an_orphan_that_commits_its_segment_has_recorded_it() {
    let sql = format!(
        "BEGIN;\nINSERT INTO n SELECT 1;\nCOMMIT;\nBEGIN;\n{UNWATCHED}\nINSERT INTO n SELECT 2;\nSELECT pg_sleep(1.5);\nCOMMIT;\nBEGIN;\nINSERT INTO n SELECT 3;\nCOMMIT;"
    );
    let project = project(&sql);
    let run = project.start(&["up"]);
    running(&project.database, "pg_sleep(1.5)", 1);
    run.signal(Signal::SIGKILL);
    run.end();
    let next = project.run(&["up"]).exits(0);
    next.says(&["waiting for what a run that died has left working"]);
    assert_eq!(project.database.sql(NUMBERS), "1 2 3");
}

#[test]
fn a_terminated_backend_loses_its_segment_only() {
    let sql = "BEGIN;\nINSERT INTO n SELECT 1;\nCOMMIT;\nBEGIN;\nINSERT INTO n SELECT 2;\nSELECT pg_sleep(600);\nCOMMIT;";
    let project = project(sql);
    let run = project.start(&["up"]);
    running(&project.database, "pg_sleep(600)", 1);
    project.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() AND datname = current_database()");
    run.end().exits(1).says(&["SQLSTATE 57P01"]);
    assert_eq!(project.database.sql(NUMBERS), "1");
    project.write("0002_s", "0001_n", &sql.replace("600", "0"));
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(NUMBERS), "1 2");
}

#[test]
fn settings_and_roles_live_from_segment_to_segment_and_after_a_restart() {
    let sql = "CREATE ROLE segment_role; GRANT INSERT ON n TO segment_role;\nBEGIN;\nSET work_mem = '7MB';\nSET ROLE segment_role;\nCOMMIT;\nBEGIN;\nINSERT INTO n SELECT 1 WHERE current_user = 'segment_role' AND current_setting('work_mem') = '7MB';\nCOMMIT;\nDO $$ BEGIN INSERT INTO n SELECT 2 WHERE current_user = 'segment_role'; COMMIT; END $$;\nINSERT INTO n SELECT nope;\nRESET ROLE;";
    let project = project(sql);
    project.run(&["up"]).exits(1).says(&["column \"nope\""]);
    assert_eq!(project.database.sql(NUMBERS), "1 2");
    let mended = sql.replace(
        "nope",
        "3 WHERE current_user = 'segment_role' AND current_setting('work_mem') = '7MB'",
    );
    project.write("0002_s", "0001_n", &mended);
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(NUMBERS), "1 2 3");
    project.database.sql("DROP OWNED BY segment_role; DROP ROLE segment_role");
}

#[test]
fn an_error_at_commit_is_one_of_its_segment() {
    let sql = "BEGIN;\nCREATE TABLE p (i int PRIMARY KEY);\nCREATE TABLE c (i int REFERENCES p DEFERRABLE INITIALLY DEFERRED);\nCOMMIT;\nBEGIN;\nINSERT INTO c VALUES (1);\nCOMMIT;";
    let project = project(sql);
    project.run(&["up"]).exits(1).says(&["SQLSTATE 23503", "0002_s.sql:7:1", "raised at COMMIT"]);
    assert_eq!(project.database.sql("SELECT count(*) FROM c"), "0");
    assert_eq!(project.database.sql(STEPS), "1|t");
}
