//! The sample project: parallel gives what serial gives.

use std::path::Path;

use super::fingerprint;
use super::harness::{Database, database, start};

fn sample() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
}

fn apply(database: &Database, args: &[&str]) {
    start(sample(), &database.url(), args, &[]).end().exits(0);
}

#[test]
fn any_schedule_and_number_of_jobs_gives_the_same_schema_and_data() {
    let serial = database();
    apply(&serial, &["up", "--jobs", "1"]);
    let expected = fingerprint::of(&serial);
    assert!(expected.lines().count() > 500, "the fingerprint holds the schema");
    for args in [
        ["up", "--jobs", "2", "--schedule", "layers"],
        ["up", "--jobs", "8", "--schedule", "layers"],
        ["up", "--jobs", "1", "--schedule", "ready"],
        ["up", "--jobs", "2", "--schedule", "ready"],
        ["up", "--jobs", "8", "--schedule", "ready"],
    ] {
        let parallel = database();
        apply(&parallel, &args);
        let found = fingerprint::of(&parallel);
        let difference: Vec<_> =
            found.lines().zip(expected.lines()).filter(|(a, b)| a != b).take(3).collect();
        assert!(found == expected, "{args:?}: {difference:#?}");
    }
}

#[test]
fn a_fingerprint_sees_a_difference() {
    let (one, two) = (database(), database());
    for database in [&one, &two] {
        database.sql("CREATE TABLE t (a int, b text DEFAULT 'x'); INSERT INTO t VALUES (1)");
    }
    assert_eq!(fingerprint::of(&one), fingerprint::of(&two));
    for change in [
        "UPDATE t SET a = 2",
        "CREATE INDEX i ON t (a)",
        "GRANT SELECT ON t TO public",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ] {
        let before = fingerprint::of(&two);
        two.sql(change);
        assert_ne!(fingerprint::of(&two), before, "{change}");
    }
}

#[test]
fn targets_bring_their_ancestors_and_the_rest_comes_later() {
    let database = database();
    apply(&database, &["up", "--target", "0023_organisations"]);
    let count = || database.sql("SELECT count(*) FROM migraph.__migrations__");
    let first: usize = count().parse().unwrap();
    assert!(first > 1 && first < 20, "{first}");
    start(sample(), &database.url(), &["status", "--exit-code"], &[]).end().exits(6);
    apply(&database, &["up"]);
    assert_eq!(count(), std::fs::read_dir(sample()).unwrap().count().to_string());
    start(sample(), &database.url(), &["status", "--exit-code"], &[]).end().exits(0);
}
