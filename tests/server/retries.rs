//! What is tried again, and what a failure means for the others.

use super::harness::{Database, Project};

fn retries(json: &serde_json::Value) -> u64 {
    json["migrations"].as_array().unwrap().iter().map(|it| it["retries"].as_u64().unwrap()).sum()
}

fn attempts(database: &Database, outcome: &str) -> String {
    database.sql(&format!(
        "SELECT DISTINCT sqlstate FROM migraph.__migration_attempts__ WHERE outcome = '{outcome}' ORDER BY 1"
    ))
}

#[test]
fn a_deadlock_between_two_migrations_is_tried_again() {
    let sql = |first: &str, second: &str| {
        format!(
            "ALTER TABLE {first} ADD COLUMN {first}_1 int; SELECT pg_sleep(1); ALTER TABLE {second} ADD COLUMN {first}_2 int;"
        )
    };
    let project = Project::new(&[
        ("0001_t", "", "CREATE TABLE x (); CREATE TABLE y ();"),
        ("0002_xy", "0001_t", &sql("x", "y")),
        ("0003_yx", "0001_t", &sql("y", "x")),
    ]);
    let up = ["up", "--format", "json", "--trust-declared"];
    let json = project.run(&up).exits(0).json();
    assert!(retries(&json) >= 1, "{json}");
    assert_eq!(attempts(&project.database, "failed"), "40P01");
    assert_eq!(project.ledger(), "0001_t 0002_xy 0003_yx");
}

#[test]
fn a_race_for_a_row_of_the_catalogue_is_tried_again() {
    let sql = "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT pg_sleep(1);";
    let project = Project::new(&[("0001_a", "", sql), ("0002_b", "", sql), ("0003_c", "", sql)]);
    let up = ["up", "--jobs", "3", "--format", "json", "--trust-declared"];
    let json = project.run(&up).exits(0).json();
    assert!(retries(&json) >= 1, "{json}");
    let said = project.run(&["status"]).exits(0);
    said.says(&["3 applied"]);
}

#[test]
fn what_the_sql_excludes_is_never_at_once() {
    let alter = |first: &str, second: &str| {
        format!(
            "ALTER TABLE {first} ADD COLUMN {first}_1 int; SELECT pg_sleep(0.3); ALTER TABLE {second} ADD COLUMN {first}_2 int;"
        )
    };
    let function = "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT pg_sleep(0.3);";
    let index = |name: &str| format!("CREATE INDEX CONCURRENTLY {name} ON x (a);");
    let project = Project::new(&[
        ("0001_t", "", "CREATE TABLE x (a int); CREATE TABLE y (a int);"),
        ("0002_xy", "0001_t", &alter("x", "y")),
        ("0003_yx", "0001_t", &alter("y", "x")),
        ("0004_f", "0001_t", function),
        ("0005_f", "0001_t", function),
        ("0006_i", "0001_t", &index("i")),
        ("0007_j", "0001_t", &index("j")),
        (
            "0008_d",
            "0001_t",
            "DO $$ BEGIN EXECUTE (SELECT 'CREATE TABLE z (a int)'); PERFORM pg_sleep(0.3); END $$;",
        ),
    ]);
    for schedule in ["layers", "ready"] {
        let up = ["up", "--jobs", "8", "--schedule", schedule, "--format", "json"];
        let json = project.run(&up).exits(0).json();
        assert_eq!(retries(&json), 0, "{json}");
        project.database.sql("DROP SCHEMA public, migraph CASCADE; CREATE SCHEMA public");
    }
}

#[test]
fn a_unique_violation_in_data_is_not_tried_again() {
    let project = Project::new(&[(
        "0001_a",
        "",
        "CREATE TABLE a (i int UNIQUE); INSERT INTO a VALUES (1), (1);",
    )]);
    let json = project.run(&["up", "--format", "json"]).exits(1).json();
    assert_eq!(retries(&json), 0);
    assert_eq!(project.database.sql("SELECT count(*) FROM migraph.__migration_attempts__"), "1");
}

#[test]
fn a_lock_that_a_sibling_holds_is_waited_for_beyond_the_timeout() {
    let project = Project::new(&[
        ("0001_t", "", "CREATE TABLE t (i int);"),
        ("0002_long", "0001_t", "ALTER TABLE t ADD COLUMN a int; SELECT pg_sleep(2);"),
        ("0003_short", "0001_t", "SELECT pg_sleep(0.2); ALTER TABLE t ADD COLUMN b int;"),
    ]);
    let up = ["up", "--lock-timeout", "200ms", "--retries", "0", "--trust-declared"];
    let ended = project.run(&up).exits(0);
    ended.says(&["trying 0003_short again when others have ended", "SQLSTATE 55P03"]);
}

#[test]
fn a_lock_that_a_stranger_holds_is_given_up_after_the_retries() {
    let project = Project::new(&[
        ("0001_t", "", "CREATE TABLE t (i int);"),
        ("0002_b", "0001_t", "ALTER TABLE t ADD COLUMN b int;"),
    ]);
    project.run(&["up", "--target", "0001_t"]).exits(0);
    let holder = project.database.hold("BEGIN; LOCK TABLE t");
    let failed = project
        .run(&["up", "--lock-timeout", "50ms", "--retries", "2", "--format", "json"])
        .exits(1)
        .json();
    assert_eq!(retries(&failed), 2);
    assert_eq!(failed["migrations"][0]["failure"]["sqlstate"], "55P03");
    assert_eq!(
        project
            .database
            .sql("SELECT count(*) FROM migraph.__migration_attempts__ WHERE outcome = 'failed'"),
        "3"
    );
    // The header goes before the flag.
    let text = "-- @dependencies: [0001_t]\n-- @lockTimeout: 0\nALTER TABLE t ADD COLUMN b int;\n";
    std::fs::write(project.file("0002_b"), text).unwrap();
    let patient = project.start(&["up", "--lock-timeout", "50ms", "--retries", "0"]);
    project
        .database
        .until("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass", "1");
    drop(holder);
    patient.end().exits(0);
}

fn three_with_a_failure() -> Project {
    Project::new(&[
        ("0001_bad", "", "SELECT pg_sleep(0.2); SELECT 1/0;"),
        ("0002_slow", "", "SELECT pg_sleep(1);"),
        ("0003_later", "0002_slow", "SELECT 1;"),
        ("0004_needs_bad", "0001_bad", "SELECT 1;"),
        ("0005_needs_both", "0003_later, 0004_needs_bad", "SELECT 1;"),
    ])
}

#[test]
fn keep_going_runs_all_that_does_not_need_the_failure() {
    for schedule in ["layers", "ready"] {
        let project = three_with_a_failure();
        let ended = project.run(&["up", "--keep-going", "--schedule", schedule]).exits(1);
        ended.says(&["because they need 0001_bad:\n  0004_needs_bad, 0005_needs_both"]);
        assert_eq!(project.ledger(), "0002_slow 0003_later", "{schedule}");
    }
}

#[test]
fn fail_fast_cancels_what_runs() {
    let project = three_with_a_failure();
    project.write("0002_slow", "", "SELECT pg_sleep(600);");
    let ended = project.run(&["up", "--fail-fast"]).exits(1);
    ended.says(&["division by zero", "cancelled 0002_slow"]);
    assert_eq!(project.ledger(), "");
    project.database.until_gone();
}

#[test]
fn a_server_that_gives_fewer_sessions_gets_fewer_workers() {
    let project = Project::new(&[]);
    for number in 1..=12 {
        project.write(&format!("00{number:02}_a"), "", "SELECT pg_sleep(0.1);");
    }
    let name = &project.database.name;
    let role = format!("few_{name}");
    project.database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'pw' CONNECTION LIMIT 4; GRANT CREATE ON DATABASE {name} TO {role}"));
    let url = project.database.url_as(&role, "pw");
    let up = super::harness::start(project.dir.path(), &url, &["up", "--jobs", "12"], &[])
        .end()
        .exits(0);
    up.says(&["the server gives no more sessions: going on with"]);
    assert_eq!(project.database.sql("SELECT count(*) FROM migraph.__migrations__"), "12");
}
