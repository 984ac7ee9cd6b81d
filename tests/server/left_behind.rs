//! A script that is resumed finds its session as it was, or is not resumed.

use super::harness::Project;
use super::healing::{INDEXES, STATEMENTS, kill_while_held, project};

/// `0002_i` in a database with a second table `t`, in the schema `s`, with its script
/// killed while it makes an index on `table`.
fn killed(script: &str, table: &str) -> Project {
    let project = project(&format!("{script}\nCREATE INDEX CONCURRENTLY i ON t (a);"));
    project.database.sql(
        "CREATE SCHEMA s; CREATE TABLE s.t AS TABLE t;
        CREATE FUNCTION use_s() RETURNS text LANGUAGE sql AS 'SELECT set_config(''search_path'', ''s'', false)'",
    );
    kill_while_held(&project, &format!("BEGIN; INSERT INTO {table} VALUES (4);"), "CREATE INDEX");
    project
}

const TABLES: &str = "SELECT c.relnamespace::regnamespace || '.' || c.relname
    FROM pg_index JOIN pg_class c ON c.oid = indrelid JOIN pg_class i ON i.oid = indexrelid
    WHERE indisvalid AND i.relname = 'i'";

#[test]
fn a_setting_that_no_statement_names_is_brought_back() {
    let scripts = [
        "ALTER TABLE t ADD CHECK (use_s() IS NOT NULL);",
        "CREATE TABLE made AS SELECT use_s();",
        "DO $$ BEGIN PERFORM set_config('search_path', 's', false); END $$;",
        "DO $$ BEGIN PERFORM set_config('search_path', 's', false); COMMIT; END $$;",
        "SELECT set_config('search_path', x, false) FROM (SELECT 's'::text) a(x);",
        "SELECT use_s();",
        "BEGIN;\nSET search_path = public;\nSELECT use_s();\nCREATE TABLE u ();\nCOMMIT;",
    ];
    for script in scripts {
        let project = killed(script, "s.t");
        project
            .run(&["up"])
            .exits(0)
            .says(&["set as in the session of statement ", ": search_path"]);
        assert_eq!(project.database.sql(TABLES), "s.t", "{script}");
    }
}

/// The script's session had the old one still.
#[test]
fn a_new_default_of_the_database_changes_nothing_in_the_middle() {
    let alter = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = s', current_database()); END $$;";
    let project = killed(alter, "public.t");
    project.run(&["up"]).exits(0).says(&["set as in the session of statement ", ": search_path"]);
    assert_eq!(project.database.sql(TABLES), "public.t");
}

#[test]
fn what_goes_with_the_session_is_asked_about() {
    let lasting = [
        ("CREATE TEMP TABLE t AS SELECT 1 AS a;", "the temporary table t"),
        ("SELECT 1 INTO TEMP \"T x\";", "the temporary table \"T x\""),
        ("DO 'BEGIN CREATE TEMP VIEW v AS SELECT 1; END';", "the temporary view v"),
        ("PREPARE p AS SELECT 1;", "the prepared statement p"),
        ("BEGIN;\nDECLARE c CURSOR WITH HOLD FOR SELECT 1;\nCOMMIT;", "the cursor c"),
        ("SELECT pg_advisory_lock(7);", "an advisory lock"),
    ];
    for (script, what) in lasting {
        let project = project(&format!("{script}\nVACUUM nowhere;"));
        project.run(&["up"]).exits(1).says(&["SQLSTATE 42P01"]);
        let asked = ["of `0002_i` is done, but the session in which it ran is gone", what];
        let json = project.run(&["up", "--format", "json"]).exits(1).json();
        assert_eq!(json["errors"][0]["code"], "interrupted", "{json}");
        project.run(&["up"]).exits(1).says(&asked);
        assert_eq!(project.ledger(), "0001_t");
        project.write("0002_i", "0001_t", &format!("{script}\nVACUUM t;"));
        project.run(&["up"]).exits(1).says(&asked);
        project.run(&["repair", "0002_i", "--retry"]).exits(0).says(&["at statement 2"]);
        project.run(&["up"]).exits(0);
    }
}

#[test]
fn what_was_left_is_there_again_when_all_of_it_is_run_again() {
    let script = "CREATE TEMP TABLE x AS SELECT 7 AS a;\nVACUUM nowhere;\nINSERT INTO t TABLE x;";
    let project = project(script);
    project.run(&["up"]).exits(1);
    project.write("0002_i", "0001_t", &script.replace("nowhere", "t"));
    project.run(&["up"]).exits(1).says(&["--resume-at 1", "undone"]);
    project.run(&["repair", "0002_i", "--resume-at", "1"]).exits(0);
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT max(a) FROM t"), "7");
}

/// Nor is there a second try in the same run: it would be another session.
#[test]
fn a_step_is_not_tried_again_without_what_it_needs() {
    let script = "-- @lockTimeout: 200ms\nCREATE TEMP TABLE x AS SELECT 7 AS a;\nVACUUM t;\nALTER TABLE t ADD b int;";
    let project = project(script);
    let holder = project.database.hold("BEGIN; SELECT FROM t;");
    let ended = project.run(&["up"]).exits(1);
    ended.says(&["SQLSTATE 55P03", "gone, and with it the temporary table x"]);
    drop(holder);
    assert_eq!(project.database.sql(STATEMENTS), "1|t\n2|t");
}

#[test]
fn a_role_is_taken_again() {
    let script = "DO 'BEGIN SET ROLE keeper; END';\nCREATE INDEX CONCURRENTLY i ON t (a);\nCREATE TABLE owned ();";
    let project = project(script);
    project.database.sql("DO 'BEGIN CREATE ROLE keeper; EXCEPTION WHEN duplicate_object THEN NULL; END'; GRANT ALL ON SCHEMA public TO keeper; ALTER TABLE t OWNER TO keeper");
    kill_while_held(&project, "BEGIN; INSERT INTO t VALUES (4);", "CREATE INDEX");
    project.run(&["up"]).exits(0).says(&["set as in the session of statement 2: role"]);
    let owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'owned'";
    assert_eq!(project.database.sql(owner), "keeper");
    project.database.sql("DROP OWNED BY keeper");
}

#[test]
fn an_invalid_index_of_somebody_else_is_left_alone() {
    let spoil = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass";
    for if_not_exists in ["", "IF NOT EXISTS "] {
        let project = project(&format!("CREATE INDEX CONCURRENTLY {if_not_exists}i ON t (a);"));
        project.database.sql(&format!("CREATE INDEX i ON t (a); {spoil}"));
        for _ in 0..2 {
            let ended = project.run(&["up"]).exits(1);
            ended.says(&["public.i is there already and INVALID", "DROP INDEX CONCURRENTLY"]);
            assert_eq!(project.database.sql(INDEXES), "i false");
        }
        assert_eq!(project.database.sql(STATEMENTS), "");
    }
    let project = project("REINDEX TABLE CONCURRENTLY t;");
    project.database.sql("CREATE INDEX i_ccnew ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i_ccnew'::regclass; CREATE INDEX i ON t (a)");
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(INDEXES), "i true, i_ccnew false");
}

#[test]
fn another_index_of_that_name_is_not_ours() {
    let wanted = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t USING btree ((t.a + 1) DESC) INCLUDE (a) WHERE a > 0;";
    let others = [
        ("CREATE INDEX i ON t (a)", false),
        ("CREATE INDEX i ON t ((a + 1) DESC) INCLUDE (a) WHERE a > 0", false),
        ("CREATE UNIQUE INDEX i ON t ((a + 1) DESC) INCLUDE (a) WHERE a > 1", false),
        ("CREATE UNIQUE INDEX i ON t ((a + 1) DESC) INCLUDE (a) WHERE (a > 0)", true),
    ];
    for (other, is_same) in others {
        let project = project(wanted);
        project.database.sql(other);
        let ended = project.run(&["up"]);
        if is_same {
            ended.exits(0);
        } else {
            ended.exits(1).says(&["`t` has another index `i`: CREATE"]);
        }
        // Killed between the statement and its record, and replaced since.
        let project = super::healing::project(&format!("{wanted}\nVACUUM nowhere;"));
        project.run(&["up"]).exits(1);
        project.database.sql("UPDATE migraph.__migration_statements__ SET finished_at = NULL");
        project.database.sql(&format!("DROP INDEX i; {other}"));
        project.write("0002_i", "0001_t", &format!("{wanted}\nVACUUM t;"));
        let ended = project.run(&["up"]);
        if is_same {
            ended.exits(0).says(&["statement 1 is done already"]);
        } else {
            ended.exits(1).says(&["`t` has another index `i`"]);
            assert_eq!(project.database.sql(STATEMENTS), "1|f");
            project.database.sql("DROP INDEX i");
            project.run(&["up"]).exits(0);
        }
    }
}

/// Whoever waits for the lock is told which migration is at work, though a statement
/// on its own brings no frame; and `plan` tells how far it is.
#[test]
fn a_statement_on_its_own_says_whose_it_is() {
    let project = project("VACUUM t;\nCREATE INDEX CONCURRENTLY i ON t (a);");
    let holder = project.database.hold("BEGIN; INSERT INTO t VALUES (4);");
    let run = project.start(&["up"]);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE 'CREATE INDEX%'";
    project.database.until(waiting, "1");
    let other = project.run(&["up", "--wait-lock", "1"]).exits(4);
    other.says(&["0002_i", "CREATE INDEX CONCURRENTLY i ON t (a);"]);
    project
        .run(&["plan"])
        .exits(0)
        .says(&["unfinished: 1 of 2 statements done, statement 2 begun and not known to be done"]);
    drop(holder);
    run.end().exits(0);
}

/// The server takes a setting back with the savepoint, and no reader of the text can.
#[test]
fn a_setting_that_was_rolled_back_is_not_made_again() {
    let script = "BEGIN;\nSAVEPOINT a;\nSET search_path = s;\nROLLBACK TO a;\nINSERT INTO t VALUES (5);\nCOMMIT;";
    let project = killed(script, "public.t");
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(TABLES), "public.t");
}

/// Nor can what was set and reset be sent again: the role is gone.
#[test]
fn only_what_is_still_set_is_set_again() {
    let script = "CREATE ROLE gone_by_now;\nSET ROLE gone_by_now;\nRESET ROLE;\nDROP ROLE gone_by_now;\nSET app.tenant = '3';\nINSERT INTO t SELECT current_setting('app.tenant')::int;";
    let project = killed(script, "public.t");
    let more = "INSERT INTO t SELECT 10 * current_setting('app.tenant')::int;";
    let sql = format!("{script}\nCREATE INDEX CONCURRENTLY i ON t (a);\n{more}");
    project.write("0002_i", "0001_t", &sql);
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT max(a) FROM t"), "30");
}

#[test]
fn the_defaults_of_the_first_session_hold() {
    let scripts = [
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = s', current_database()); END $$;\nRESET search_path;",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = s', current_database()); END $$;\nVACUUM t;\nSET search_path TO DEFAULT;",
    ];
    for script in scripts {
        let project = killed(script, "public.t");
        project.run(&["up"]).exits(0);
        assert_eq!(project.database.sql(TABLES), "public.t", "{script}");
    }
    let project = project(
        "DO 'BEGIN SET standard_conforming_strings = off; END';\nVACUUM nowhere;\nCREATE TABLE s AS SELECT 'a\\\\b' AS c;",
    );
    project.run(&["up"]).exits(1);
    project.write("0002_i", "0001_t", "DO 'BEGIN SET standard_conforming_strings = off; END';\nVACUUM t;\nCREATE TABLE s AS SELECT 'a\\\\b' AS c;");
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT c FROM s"), "a\\b");
}

/// When the first is gone, the name means the second.
#[test]
fn one_index_is_dropped_of_two_with_a_name() {
    let project =
        project("SET search_path = s, public;\nDROP INDEX CONCURRENTLY i;\nVACUUM nowhere;");
    project.database.sql("CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE INDEX i ON s.t (a); CREATE INDEX i ON t (a)");
    project.run(&["up"]).exits(1).says(&["SQLSTATE 42P01", "statement 3"]);
    project.database.sql("UPDATE migraph.__migration_statements__ SET finished_at = NULL, found = (SELECT jsonb_build_object('index', max(oid::bigint) + 1) FROM pg_class)");
    project.write(
        "0002_i",
        "0001_t",
        "SET search_path = s, public;\nDROP INDEX CONCURRENTLY i;\nVACUUM t;",
    );
    project.run(&["up"]).exits(0).says(&["statement 2 is done already"]);
    assert_eq!(project.database.sql(INDEXES), "i true");
}

#[test]
fn leftovers_that_were_there_before_outlive_a_reindex_that_was_killed() {
    let project = project("REINDEX TABLE CONCURRENTLY t;");
    project.database.sql("CREATE INDEX i ON t (a); CREATE INDEX i_ccnew ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i_ccnew'::regclass");
    kill_while_held(&project, "BEGIN; INSERT INTO t VALUES (4);", "REINDEX");
    project.run(&["up"]).exits(0).says(&["dropped the INVALID index public.i_ccnew1"]);
    assert_eq!(project.database.sql(INDEXES), "i true, i_ccnew false");
}

#[test]
fn what_an_operator_says_leaves_the_session_as_it_was() {
    let script = "-- @transaction: never\nDO $$ BEGIN PERFORM set_config('search_path', 's', false); END $$;\nCALL public.p();\nSET lc_numeric = 'C';\nCREATE TABLE made ();";
    for choice in [&["--retry"][..], &["--resume-at", "4"]] {
        let project = project(script);
        project.database.sql("CREATE SCHEMA s; CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COMMIT; RAISE ''no''; END'");
        project.run(&["up"]).exits(1).says(&["statement 2 may have done"]);
        project.database.sql("CREATE OR REPLACE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN END'");
        project.run(&[&["repair", "0002_i"], choice].concat()).exits(0);
        project.run(&["up"]).exits(0);
        let schema = "SELECT relnamespace::regnamespace FROM pg_class WHERE relname = 'made'";
        assert_eq!(project.database.sql(schema), "s", "{choice:?}");
    }
}
