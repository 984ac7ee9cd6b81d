//! What `up` says and leaves when a migration fails.

use super::harness::Project;

#[test]
fn a_failure_in_the_middle_names_its_place_and_the_next_run_goes_on() {
    let project = Project::new(&[
        ("0001_a", "", "CREATE TABLE a (id int PRIMARY KEY);"),
        ("0002_b", "0001_a", "CREATE TABLE b ();\nSELECT 'ä' FROM nowhere;"),
        ("0003_c", "0001_a", "SELECT pg_sleep(0.5); CREATE TABLE c ();"),
        ("0004_d", "0002_b", "CREATE TABLE d ();"),
        ("0005_e", "0004_d", "CREATE TABLE e ();"),
        ("0006_f", "0003_c", "CREATE TABLE f ();"),
    ]);
    let ended = project.run(&["up"]).exits(1).says(&[
        "relation \"nowhere\" does not exist",
        "SQLSTATE 42P01",
        "0002_b.sql:3:17",
        "SELECT 'ä' FROM nowhere;",
        "statement 2 of 2",
        "because they need 0002_b:\n  0004_d, 0005_e",
        "the run ended before:\n  0006_f",
    ]);
    let caret = ended.stderr.lines().find(|line| line.contains("^^^")).unwrap();
    let source = ended.stderr.lines().find(|line| line.contains("FROM nowhere")).unwrap();
    let column = |line: &str, at: usize| line[..at].chars().count();
    assert_eq!(
        column(caret, caret.find('^').unwrap()),
        column(source, source.find("nowhere").unwrap())
    );
    assert_eq!(project.ledger(), "0001_a 0003_c", "what ran beside it has finished");
    assert_eq!(project.database.sql("SELECT to_regclass('b') IS NULL"), "t", "rolled back");
    project.write("0002_b", "0001_a", "CREATE TABLE b ();");
    project.run(&["up"]).exits(0);
    assert_eq!(project.ledger(), "0001_a 0002_b 0003_c 0004_d 0005_e 0006_f");
    let failed = "SELECT migration_id, sqlstate, statement FROM migraph.__migration_attempts__ WHERE outcome = 'failed'";
    assert_eq!(project.database.sql(failed), "0002_b|42P01|2");
}

/// Runs one failing migration and returns its failure from the report.
fn failure(sql: &str) -> serde_json::Value {
    let project = Project::new(&[("0001_a", "", sql)]);
    let ended = project.run(&["up", "--format", "json"]).exits(1);
    let failure = ended.json()["migrations"][0]["failure"].clone();
    let objects = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(project.database.sql(objects), "0", "{sql}: all of it is rolled back");
    assert_eq!(project.ledger(), "");
    failure
}

#[test]
fn every_kind_of_error_has_its_place() {
    // (SQL; line 1 of the file is the header; SQLSTATE, line, column, statement)
    let cases = [
        ("CREATE TABLE t (a int);\n  SELECT b FROM t;", "42703", 3, 10, 2),
        (
            "CREATE TABLE t (a int UNIQUE);\nINSERT INTO t VALUES (1);\n\n  INSERT INTO t VALUES (1);",
            "23505",
            5,
            3,
            3,
        ),
        ("SELECT 1/0", "22012", 2, 1, 1),
        ("/* é */ BEGIN;\nSELECT 1;\nSELECT x;\nCOMMIT;", "42703", 4, 8, 2),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n SELECT nothing $$;",
            "42703",
            3,
            9,
            1,
        ),
        (
            "CREATE TABLE p (i int PRIMARY KEY);\nCREATE TABLE c (i int REFERENCES p DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO c VALUES (1);",
            "23503",
            4,
            1,
            0,
        ),
        (
            "DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'do not', DETAIL = 'because'; END $$;",
            "P0001",
            2,
            1,
            1,
        ),
        ("DO $$ BEGIN COMMIT; END $$;", "2D000", 2, 1, 1),
    ];
    for (sql, sqlstate, line, column, statement) in cases {
        let failure = failure(sql);
        let place = (failure["line"].as_u64(), failure["column"].as_u64());
        assert_eq!(failure["sqlstate"], sqlstate, "{sql}: {failure}");
        assert_eq!(place, (Some(line), Some(column)), "{sql}: {failure}");
        let expected = if statement == 0 { serde_json::Value::Null } else { statement.into() };
        assert_eq!(failure["statement"], expected, "{sql}: {failure}");
    }
    let raised = failure(
        "DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'do not', DETAIL = 'because'; END $$;",
    );
    assert_eq!((&raised["hint"], &raised["detail"]), (&"do not".into(), &"because".into()));
    assert!(raised["context"].as_str().unwrap().contains("inline_code_block"));
}

#[test]
fn always_lets_the_server_judge_what_our_parser_does_not_know() {
    let project = Project::new(&[]);
    let text = "-- @dependencies: []\n-- @transaction: always\nSELEC 1;\n";
    std::fs::write(project.file("0001_a"), text).unwrap();
    project.run(&["validate"]).exits(0);
    project.run(&["up"]).exits(1).says(&["syntax error at or near \"SELEC\"", "0001_a.sql:3:1"]);
}

#[test]
fn a_row_that_the_ledger_does_not_keep_rolls_all_back() {
    let project = Project::new(&[("0001_a", "", "CREATE TABLE a ();")]);
    project.run(&["up"]).exits(0);
    project.database.sql("CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER eat BEFORE INSERT ON migraph.__migrations__ FOR EACH ROW EXECUTE FUNCTION eat()");
    project.write("0002_b", "", "CREATE TABLE b ();");
    project.run(&["up"]).exits(1).says(&["did not keep the migration's row", "remove it"]);
    assert_eq!(project.database.sql("SELECT to_regclass('b') IS NULL"), "t");
    project.database.sql("DROP TRIGGER eat ON migraph.__migrations__");
    project.run(&["up"]).exits(0);
}

#[test]
fn a_broken_file_keeps_everything_from_running() {
    let project =
        Project::new(&[("0001_a", "", "CREATE TABLE a ();"), ("0002_b", "", "CREATE TABEL b ();")]);
    project.run(&["up"]).exits(1).says(&[
        "0002_b.sql:2:1",
        "^^^^^^ no statement begins like this",
        "nothing was run",
    ]);
    assert_eq!(
        project.database.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'migraph'"),
        "0"
    );
}
