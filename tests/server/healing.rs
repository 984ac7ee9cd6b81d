//! What an earlier try left half done outside a transaction is put right.

use nix::sys::signal::Signal;

use super::harness::{Ended, Project};

pub const INDEXES: &str = "SELECT string_agg(relname || ' ' || indisvalid, ', ' ORDER BY relname)
    FROM pg_index JOIN pg_class ON oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace";
pub const STATEMENTS: &str =
    "SELECT statement, finished_at IS NOT NULL FROM migraph.__migration_statements__ ORDER BY 1";

/// A table `t` with the rows 1 to 3, and a migration `0002_i` that is `sql`.
pub fn project(sql: &str) -> Project {
    let table = "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2), (3);";
    let project = Project::new(&[("0001_t", "", table), ("0002_i", "0001_t", sql)]);
    project.run(&["up", "--target", "0001_t"]).exits(0);
    project
}

/// Starts `up`, kills it while its statement waits for a session that has run
/// `hold`, and lets that session go.
pub fn kill_while_held(project: &Project, hold: &str, waits: &str) {
    let holder = project.database.hold(hold);
    let run = project.start(&["up"]);
    let waiting = format!(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '{waits}%'"
    );
    project.database.until(&waiting, "t");
    run.signal(Signal::SIGKILL);
    run.end();
    project.database.sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '{waits}%'"
    ));
    drop(holder);
    project.database.until_gone();
}

fn heals(project: &Project, how: &str) -> Ended {
    let ended = project.run(&["up"]).exits(0).says(&["healed 0002_i: ", how]);
    assert_eq!(project.ledger(), "0001_t 0002_i");
    ended
}

#[test]
fn an_invalid_index_is_dropped_and_built_again() {
    for if_not_exists in ["", "IF NOT EXISTS "] {
        let sql = format!("CREATE INDEX CONCURRENTLY {if_not_exists}i ON t (a);");
        let project = project(&sql);
        kill_while_held(&project, "BEGIN; INSERT INTO t VALUES (4);", "CREATE INDEX");
        assert_eq!(project.database.sql(INDEXES), "i false");
        assert_eq!(project.database.sql(STATEMENTS), "1|f");
        let report = project.run(&["up", "--format", "json"]).exits(0).json();
        let how = "dropped the INVALID index public.i, which an earlier try left";
        assert_eq!(report["migrations"][0]["healed"], serde_json::json!([how]));
        assert_eq!(project.database.sql(INDEXES), "i true");
        assert_eq!(project.database.sql(STATEMENTS), "1|t");
    }
}

#[test]
fn what_is_done_and_not_recorded_is_not_done_again() {
    let others = [
        ("CREATE INDEX CONCURRENTLY i ON t (a);", ""),
        ("DROP INDEX CONCURRENTLY old;", "CREATE INDEX old ON t (a)"),
        ("CREATE DATABASE healed_new;", ""),
        ("DROP DATABASE healed_old;", "CREATE DATABASE healed_old"),
    ];
    for (sql, before) in others {
        let project = project(&format!("{sql}\nVACUUM nowhere;"));
        project.database.sql(before);
        project.run(&["up"]).exits(1).says(&["SQLSTATE 42P01", "statement 2 of 2"]);
        // As if the run had been killed between the statement and its record.
        project.database.sql("UPDATE migraph.__migration_statements__ SET finished_at = NULL");
        project.write("0002_i", "0001_t", &format!("{sql}\nVACUUM t;"));
        heals(&project, "statement 1 is done already");
    }
}

#[test]
fn a_pending_detach_is_finalised() {
    let table = "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE x PARTITION OF p FOR VALUES IN (1);";
    let detach = "ALTER TABLE p DETACH PARTITION x CONCURRENTLY;";
    let project = Project::new(&[("0001_t", "", table), ("0002_i", "0001_t", detach)]);
    // 13 has no DETACH … CONCURRENTLY.
    if !project.database.watches_clients() {
        return;
    }
    project.run(&["up", "--target", "0001_t"]).exits(0);
    kill_while_held(&project, "BEGIN; SELECT * FROM p;", "ALTER TABLE");
    let pending = "SELECT inhdetachpending FROM pg_inherits";
    assert_eq!(project.database.sql(pending), "t");
    heals(&project, "which was half done: ALTER TABLE p DETACH PARTITION x FINALIZE");
    assert_eq!(project.database.sql(pending), "");
}

#[test]
fn the_leftovers_of_a_reindex_are_dropped() {
    let scopes = ["INDEX CONCURRENTLY i", "TABLE CONCURRENTLY t", "SCHEMA CONCURRENTLY public"];
    for scope in scopes {
        let project = project(&format!("REINDEX {scope};"));
        project.database.sql("CREATE INDEX i ON t (a); CREATE INDEX other_ccnew ON t (a)");
        kill_while_held(&project, "BEGIN; INSERT INTO t VALUES (4);", "REINDEX");
        let left = project.database.sql(INDEXES);
        assert!(left.contains("i true") && left.contains("_ccnew false"), "{left}");
        heals(&project, "_ccnew, which an earlier try left");
        assert_eq!(project.database.sql(INDEXES), "i true, other_ccnew true", "{scope}");
    }
}

#[test]
fn what_does_no_harm_twice_is_run_again() {
    let project = project("VACUUM t;\nVACUUM nowhere;");
    project.run(&["up"]).exits(1);
    project.database.sql("UPDATE migraph.__migration_statements__ SET finished_at = NULL");
    project.write("0002_i", "0001_t", "VACUUM t;\nVACUUM t;");
    project.run(&["up", "-v"]).exits(0).says(&["0002_i: statement 1 of 2"]);
}

#[test]
fn a_failed_statement_clears_up_behind_itself() {
    let project = project("CREATE UNIQUE INDEX CONCURRENTLY u ON t (a);");
    project.database.sql("INSERT INTO t VALUES (1)");
    let failed = project.run(&["up"]).exits(1);
    failed.says(&["SQLSTATE 23505", "it left INVALID indexes, which were dropped: public.u"]);
    assert_eq!(project.database.sql(INDEXES), "");
    project.database.sql("DELETE FROM t WHERE ctid = '(0,4)'");
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(INDEXES), "u true");
}

#[test]
fn what_a_cancelled_statement_leaves_is_for_the_next_run() {
    let project = project("VACUUM t;\nCREATE INDEX CONCURRENTLY i ON t (a);");
    let holder = project.database.hold("BEGIN; INSERT INTO t VALUES (4);");
    let run = project.start(&["up"]);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE 'CREATE INDEX%'";
    project.database.until(waiting, "1");
    run.signal(Signal::SIGTERM);
    run.end().exits(143).says(&[
        "cancelled 0002_i: statement 2 is not done, those before it are",
        "which the next try drops: public.i",
    ]);
    assert_eq!(project.database.sql(STATEMENTS), "1|t\n2|f");
    drop(holder);
    heals(&project, "dropped the INVALID index public.i");
    assert_eq!(project.database.sql(INDEXES), "i true");
}

#[test]
fn an_index_without_a_name_cannot_be_looked_for() {
    let sql = "CREATE UNIQUE INDEX CONCURRENTLY ON t (a);";
    let project = project(sql);
    project.database.sql("INSERT INTO t VALUES (1)");
    project.run(&["up"]).exits(1).says(&["there are INVALID indexes", ": public.t_a_idx;"]);
    kill_while_held(&project, "BEGIN; INSERT INTO t VALUES (4);", "CREATE UNIQUE INDEX");
    project.run(&["up"]).exits(1).says(&["statement 1 of `0002_i` was begun", "--mark-applied"]);
}

#[test]
fn if_not_exists_is_not_believed() {
    let sql = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);";
    let project = project(sql);
    project.database.sql("CREATE TABLE other (a int); CREATE INDEX i ON other (a)");
    project.run(&["up"]).exits(1).says(&["`t` has no index `i`", "0002_i.sql:2:1"]);
    assert_eq!(project.database.sql(STATEMENTS), "");
    project.database.sql("DROP TABLE other");
    project.run(&["up"]).exits(0);
}

#[test]
fn an_index_that_is_there_before_is_none_of_ours() {
    let project = project("CREATE INDEX CONCURRENTLY i ON t (a);");
    project.database.sql("CREATE INDEX i ON t (a)");
    for _ in 0..2 {
        project.run(&["up"]).exits(1).says(&["what statement 1 creates is there already"]);
    }
    assert_eq!(project.database.sql(STATEMENTS), "");
}

#[test]
fn a_changed_statement_that_was_begun_is_not_looked_for() {
    let project = project("CREATE INDEX CONCURRENTLY i ON t (a);");
    kill_while_held(&project, "BEGIN; INSERT INTO t VALUES (4);", "CREATE INDEX");
    project.write("0002_i", "0001_t", "CREATE INDEX CONCURRENTLY j ON t (a);");
    project.run(&["up"]).exits(1).says(&["did not see its end", "the file now holds another"]);
    project.write("0002_i", "0001_t", "CREATE INDEX CONCURRENTLY i ON t (a);");
    heals(&project, "dropped the INVALID index public.i");
}

#[test]
fn a_lock_timeout_outside_a_transaction_is_tried_again() {
    let sql = "-- @lockTimeout: 300ms\nCREATE INDEX CONCURRENTLY i ON t (a);\nVACUUM t;";
    let project = project(sql);
    let holder = project.database.hold("BEGIN; INSERT INTO t VALUES (4);");
    let run = project.start(&["up"]);
    let failed = "SELECT count(*) > 0 FROM migraph.__migration_attempts__ WHERE sqlstate = '55P03' AND outcome = 'failed'";
    project.database.until(failed, "t");
    drop(holder);
    run.end().exits(0).says(&["trying 0002_i again", "SQLSTATE 55P03"]);
    assert_eq!(project.database.sql(INDEXES), "i true");
}

/// A refusal proves that a transaction is rolled back, and a procedure may have had
/// several.
#[test]
fn a_procedure_that_failed_behind_its_own_commit_is_not_run_again() {
    let procedure =
        |body: &str| format!("CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN {body} END $$;");
    let insert = "INSERT INTO t VALUES (9);";
    let cases = [
        (format!("{insert} RAISE 'no';"), false),
        (format!("{insert} ROLLBACK; RAISE 'no';"), true),
        (format!("{insert} COMMIT; RAISE 'no';"), true),
        (format!("{insert} COMMIT; PERFORM pg_cancel_backend(pg_backend_pid());"), true),
        (format!("{insert} COMMIT; PERFORM pg_terminate_backend(pg_backend_pid());"), true),
        (format!("{insert} PERFORM pg_terminate_backend(pg_backend_pid());"), true),
    ];
    for (body, in_doubt) in cases {
        let project = project("-- @transaction: never\nCALL p();");
        project.database.sql(&procedure(&body));
        project.run(&["up"]).exits(1).says(&["statement 1 of 1"]);
        let begun = if in_doubt { "1|f" } else { "" };
        assert_eq!(project.database.sql(STATEMENTS), begun, "{body}");
        project.database.sql(&procedure("").replace("CREATE", "CREATE OR REPLACE"));
        let next = project.run(&["up"]);
        if in_doubt {
            next.exits(1).says(&["nobody knows whether it is done", "--mark-applied"]);
        } else {
            next.exits(0);
        }
    }
}

#[test]
fn a_procedure_that_is_not_there_has_done_nothing() {
    let project = project("-- @transaction: never\nCALL p();");
    project.run(&["up"]).exits(1).says(&["SQLSTATE 42883"]);
    assert_eq!(project.database.sql(STATEMENTS), "");
}
