//! Databases that cannot be used, ledgers that do not fit.

use super::harness::{Project, start};

fn project() -> Project {
    Project::new(&[
        ("0001_a", "", "CREATE TABLE a ();"),
        ("0002_b", "0001_a", "CREATE TABLE b ();"),
    ])
}

#[test]
fn servers_that_cannot_be_reached_or_used() {
    let project = project();
    let database = &project.database;
    let role = format!("noright_{}", database.name);
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'Tr1llian-pw'"));
    let cases = [
        (
            format!("postgres://u:hidden@127.0.0.1:1/{}", database.name),
            "Connection refused",
            "--offline",
        ),
        (
            "postgres:///d?host=/nonexistent&user=u".to_owned(),
            "No such file",
            "is the server running",
        ),
        (database.url_as("postgres", "wrong-pw"), "password authentication failed", "PGPASSWORD"),
        (
            database.url().replace(&database.name, "nosuchdb"),
            "\"nosuchdb\" does not exist",
            "createdb nosuchdb",
        ),
        (
            database.url_as(&role, "Tr1llian-pw"),
            "permission denied for database",
            "CREATE SCHEMA \"migraph\" AUTHORIZATION",
        ),
    ];
    for (url, reason, help) in cases {
        let ended =
            start(project.dir.path(), &url, &["up"], &[]).end().exits(3).says(&[reason, help]);
        for secret in ["hidden", "wrong-pw", "Tr1llian-pw"] {
            assert!(!ended.all().contains(secret), "{}", ended.all());
        }
    }
}

#[test]
fn a_read_only_server_is_said_to_be_one() {
    let project = project();
    let name = &project.database.name;
    project.database.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    project.run(&["up"]).exits(3).says(&["the server is read-only"]);
    project.run(&["plan"]).exits(0).says(&["2 migrations in 2 layers"]);
}

#[test]
fn a_ledger_of_a_newer_migraph_is_left_alone() {
    let project = project();
    project.run(&["up", "--target", "0001_a"]).exits(0);
    project.database.sql("INSERT INTO migraph.__ledger__ VALUES (99, 'x')");
    for verb in ["up", "status", "plan"] {
        project.run(&[verb]).exits(3).says(&["version 99", "a migraph at least as new"]);
    }
}

#[test]
fn foreign_tables_of_our_name_are_not_touched() {
    let project = project();
    project.database.sql("CREATE SCHEMA migraph; CREATE TABLE migraph.__ledger__ (mine int)");
    project.run(&["up"]).exits(3).says(&["no ledger of migraph", "--ledger-schema"]);
    project.run(&["up", "--ledger-schema", "Odd \"name"]).exits(0);
    assert_eq!(project.database.sql("SELECT count(*) FROM \"Odd \"\"name\".__migrations__"), "2");
}

#[test]
fn a_schema_that_exists_needs_no_right_to_create_one() {
    let project = project();
    let role = format!("owner_{}", project.database.name);
    project.database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'pw'; CREATE SCHEMA migraph AUTHORIZATION {role}; GRANT CREATE ON SCHEMA public TO {role}"
    ));
    let url = project.database.url_as(&role, "pw");
    start(project.dir.path(), &url, &["up"], &[]).end().exits(0);
    assert_eq!(
        project.database.sql("SELECT DISTINCT applied_by FROM migraph.__migrations__"),
        role
    );
}

#[test]
fn a_ledger_that_may_not_be_written_is_refused_before_anything_runs() {
    let project = project();
    project.run(&["up", "--target", "0001_a"]).exits(0);
    let role = format!("reader_{}", project.database.name);
    project.database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT USAGE ON SCHEMA migraph TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA migraph TO {role}"
    ));
    let url = project.database.url_as(&role, "pw");
    let up = start(project.dir.path(), &url, &["up"], &[]).end();
    up.exits(3).says(&["no right to use the ledger", "INSERT into"]);
    start(project.dir.path(), &url, &["status", "--exit-code"], &[]).end().exits(6);
}

#[test]
fn ledger_and_files_that_disagree_stop_everything() {
    let project = project();
    project.run(&["up", "--target", "0001_a"]).exits(0);
    // Layout, comments and the header may change.
    project.write("0001_a", "", "create  table A /* it */ ();");
    project.run(&["status", "--exit-code"]).exits(6);
    project.write("0001_a", "", "CREATE TABLE a (changed int);");
    project.database.sql("INSERT INTO migraph.__migrations__ SELECT 'gone', name, checksum, checksum_algorithm, NULL, NULL, '{}', now(), 1, batch_id, 0, 'x', 'y' FROM migraph.__migrations__");
    let said =
        ["`0001_a` was changed after it was applied", "0001_a.sql", "the ledger holds `gone`"];
    project.run(&["up"]).exits(5).says(&said);
    project.run(&["up", "--dry-run"]).exits(5).says(&said);
    let json = project.run(&["up", "--format", "json"]).exits(5).json();
    assert_eq!(json["errors"].as_array().unwrap().len(), 2);
    assert_eq!(project.database.sql("SELECT to_regclass('b') IS NULL"), "t");
    let status = project.run(&["status", "--exit-code", "--format", "json"]).exits(5).json();
    assert_eq!(status["changed"][0], "0001_a");
    assert_eq!(status["unknown"][0]["id"], "gone");
    assert_eq!(status["pending"][0], "0002_b");
}
