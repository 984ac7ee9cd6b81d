//! Migrations that run without a transaction.

use super::harness::Project;

const STATEMENTS: &str =
    "SELECT statement, finished_at IS NOT NULL FROM migraph.__migration_statements__ ORDER BY 1";

fn project(sql: &str) -> Project {
    Project::new(&[
        ("0001_t", "", "CREATE TABLE t (a int); CREATE TABLE n (i int);"),
        ("0002_i", "0001_t", sql),
    ])
}

#[test]
fn a_failed_statement_is_the_only_one_that_runs_again() {
    let sql = "SET work_mem = '7MB';\nINSERT INTO n VALUES (1);\nCREATE INDEX CONCURRENTLY i ON t (nope);\nINSERT INTO n SELECT 2 WHERE current_setting('work_mem') = '7MB';";
    let project = project(sql);
    project.run(&["up"]).exits(1).says(&["0002_i.sql:4:1", "statement 3 of 4"]);
    assert_eq!(project.database.sql(STATEMENTS), "2|t", "the session's SET is not recorded");
    assert_eq!(project.ledger(), "0001_t");
    project.run(&["status"]).exits(0).says(&["unfinished 0002_i", "1 of 4 statements done"]);
    project.write("0002_i", "0001_t", &sql.replace("nope", "a"));
    project.run(&["up"]).exits(0);
    assert_eq!(
        project.database.sql("SELECT i FROM n ORDER BY 1"),
        "1\n2",
        "SET is repeated, INSERT is not"
    );
    assert_eq!(project.ledger(), "0001_t 0002_i");
    assert_eq!(
        project.database.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"),
        "t"
    );
}

#[test]
fn a_script_may_become_somebody_else_and_the_ledger_stays_ours() {
    let role = format!("else_{}", project("").database.name);
    let sql = format!(
        "CREATE ROLE {role}; GRANT CREATE ON SCHEMA public TO {role};\nSET ROLE {role};\nSELECT pg_catalog.set_config('search_path', 'public', false);\nCREATE TABLE owned (i int);\nSET default_transaction_read_only = off;\nCREATE INDEX CONCURRENTLY owned_i ON owned (nope);\nRESET ROLE;"
    );
    let project = project(&sql);
    project.run(&["up"]).exits(1).says(&["SQLSTATE 42703", "statement 7 of 8"]);
    project.write("0002_i", "0001_t", &sql.replace("nope", "i"));
    project.run(&["up"]).exits(0);
    let owner = "SELECT relowner::regrole FROM pg_class WHERE relname = 'owned_i'";
    assert_eq!(project.database.sql(owner), role, "SET ROLE is repeated");
    assert_eq!(project.ledger(), "0001_t 0002_i");
}

#[test]
fn a_changed_statement_that_has_run_refuses_to_go_on() {
    let sql = "INSERT INTO n VALUES (1);\nCREATE INDEX CONCURRENTLY i ON t (nope);";
    let project = project(sql);
    project.run(&["up"]).exits(1);
    project.write(
        "0002_i",
        "0001_t",
        &sql.replace("VALUES (1)", "VALUES (2)").replace("nope", "a"),
    );
    project
        .run(&["up"])
        .exits(1)
        .says(&["statement 1 of `0002_i` was run by an earlier run", "0002_i.sql:2:1"]);
    // The layout may change.
    project.write(
        "0002_i",
        "0001_t",
        &sql.replace("VALUES (1)", "values -- one\n (1)").replace("nope", "a"),
    );
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT i FROM n"), "1");
}

#[test]
fn statements_outside_a_transaction_run_one_by_one() {
    let project =
        project("VACUUM t;\nREINDEX TABLE CONCURRENTLY t;\nDROP INDEX CONCURRENTLY IF EXISTS i;");
    let ended = project.run(&["up", "-v"]).exits(0);
    ended.says(&["0002_i: statement 1 of 3", "0002_i: statement 3 of 3"]);
    assert_eq!(project.database.sql(STATEMENTS), "1|t\n2|t\n3|t");
}
