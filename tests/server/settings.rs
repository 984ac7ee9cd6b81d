//! Connection settings against a server that checks them.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use migraph::postgres::ephemeral::EphemeralServer;

use super::harness::{Database, PASSWORD, Project, database_on, options, start};

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

/// A machine that has vanished is noticed within a minute.
#[test]
fn sessions_ask_whether_the_other_end_is_there() {
    let shown = "SELECT current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'), current_setting('tcp_keepalives_count'), current_setting('tcp_user_timeout')";
    let sql = format!("CREATE TABLE a (a text, b text, c text, d text); INSERT INTO a {shown};");
    let project = Project::new(&[("0001_a", "", &sql)]);
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql("SELECT * FROM a"), "30|10|3|60000");
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

/// Turns TLS on in a running server, with a certificate that nobody has signed.
fn turn_on_tls(server: &EphemeralServer, database: &Database) {
    let dir = server.data_dir();
    let (key, certificate) = (dir.join("server.key"), dir.join("server.crt"));
    let made = Command::new("openssl")
        .args(["req", "-new", "-x509", "-nodes", "-days", "2", "-subj", "/CN=elsewhere", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
    let owner = std::fs::metadata(&dir).unwrap();
    for file in [&key, &certificate] {
        chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    database.sql("ALTER SYSTEM SET ssl = on");
    database.sql("SELECT pg_reload_conf()");
    database.until("SHOW ssl", "on");
}

#[test]
fn with_tls_on_the_server_every_session_uses_it() {
    let server = EphemeralServer::start(&options()).unwrap();
    let database = database_on(&server);
    turn_on_tls(&server, &database);
    let sql = "CREATE TABLE seen AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();";
    let project = Project::new(&[("0001_a", "", sql)]);
    let up =
        |mode| start(project.dir.path(), &database.url(), &["up"], &[("PGSSLMODE", mode)]).end();
    up("require").exits(0);
    assert_eq!(database.sql("SELECT ssl FROM seen"), "t");
    for (mode, encrypted) in [("prefer", "t"), ("disable", "f")] {
        database.sql("DROP TABLE seen; DROP SCHEMA migraph CASCADE");
        up(mode).exits(0);
        assert_eq!(database.sql("SELECT ssl FROM seen"), encrypted, "{mode}");
    }
}
