//! Connection settings against a server that checks them.

use super::harness::{PASSWORD, Project, start};

#[test]
fn libpqs_variables_are_enough() {
    let project =
        Project::new(&[("0001_a", "", "CREATE TABLE a AS SELECT current_setting('work_mem');")]);
    let port = project.database.port.to_string();
    let environment = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", port.as_str()),
        ("PGUSER", "postgres"),
        ("PGPASSWORD", PASSWORD),
        ("PGDATABASE", project.database.name.as_str()),
        ("PGOPTIONS", "-c work_mem=3MB"),
        ("RUST_LOG", "trace"),
    ];
    start(project.dir.path(), "", &["up", "-v"], &environment).end().exits(0);
    assert_eq!(project.database.sql("SELECT * FROM a"), "3MB");
}

#[test]
fn a_dot_env_beside_the_migrations_is_read() {
    let project = Project::new(&[("0001_a", "", "SELECT 1;")]);
    let line = format!("DATABASE_URL=\"{}\"\n", project.database.url());
    std::fs::write(project.dir.path().join(".env"), line).unwrap();
    start(project.dir.path(), "", &["up"], &[]).end().exits(0);
}

#[test]
fn require_asks_for_tls_and_prefer_does_without() {
    let project = Project::new(&[("0001_a", "", "SELECT 1;")]);
    let url = project.database.url();
    let with = |mode: &str| start(project.dir.path(), &url, &["up"], &[("PGSSLMODE", mode)]).end();
    with("require").exits(3).says(&["does not support TLS"]);
    with("verify-full").exits(2).says(&["PGSSLMODE", "not supported yet"]);
    with("prefer").exits(0);
    with("disable").exits(0);
}
