//! The output of `pg_dump` as a migration.

use std::path::PathBuf;
use std::process::Command;

use super::fingerprint;
use super::harness::{Database, PASSWORD, Project, database, start};

/// Beside the server's own programs, so that it is not older than the server; or
/// another, where there is none.
fn pg_dump(database: &Database) -> PathBuf {
    let dir = database.sql("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
    let own = PathBuf::from(dir).join("pg_dump");
    if own.exists() { own } else { "pg_dump".into() }
}

fn dump(database: &Database) -> String {
    let output = Command::new(pg_dump(database))
        .args(["--exclude-schema=migraph", "--no-password", "--dbname"])
        .arg(database.url())
        .env("PGPASSWORD", PASSWORD)
        .output()
        .expect("pg_dump is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_dump_of_the_sample_is_a_migration() {
    let original = database();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    start(sample.as_ref(), &original.url(), &["up"], &[]).end().exits(0);
    let text = dump(&original);
    assert!(text.matches(" FROM stdin;").count() > 10, "the sample's tables hold data");

    let project = Project::new(&[("0001_dump", "", &text)]);
    project.run(&["validate"]).exits(0);
    project.run(&["up"]).exits(0);
    let (expected, found) = (fingerprint::of(&original), fingerprint::of(&project.database));
    let difference: Vec<_> =
        found.lines().zip(expected.lines()).filter(|(a, b)| a != b).take(3).collect();
    assert!(found == expected, "{difference:#?}");
    assert_eq!(project.ledger(), "0001_dump");

    // Its token is another each time.
    let again = dump(&project.database);
    project.write("0001_dump", "", &again);
    if text.contains("\\restrict") {
        assert_ne!(text, again);
    }
    project.run(&["status", "--exit-code"]).exits(0);
}
