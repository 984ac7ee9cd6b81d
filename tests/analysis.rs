//! What `validate` says about the SQL, from outside.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{migraph, temporary_dir};
use migraph::analyse::{Analysis, Strictness, infer, undeclared};
use migraph::load::{LoadOptions, load};
use migraph::parse::{Depth, Unlisted};
use tempfile::TempDir;

/// A directory of migrations: id, dependencies, script.
fn directory(files: &[(&str, &str, &str)]) -> TempDir {
    let dir = temporary_dir();
    for (id, dependencies, sql) in files {
        let text = format!("-- @dependencies: [{dependencies}]\n{sql}\n");
        fs::write(dir.path().join(format!("{id}.sql")), text).unwrap();
    }
    dir
}

/// `code: message` of everything that `validate` finds and does not hide.
fn found(dir: &TempDir) -> Vec<String> {
    let dir = dir.path().to_str().unwrap();
    let ran = migraph(&["--dir", dir, "--offline", "validate", "--format", "json"]);
    let document = ran.document();
    let of = |key: &str| document[key].as_array().cloned().unwrap_or_default();
    let say = |one: &serde_json::Value| {
        let [code, message] = ["code", "message"].map(|key| one[key].as_str().unwrap().to_owned());
        format!("{code}: {message}")
    };
    of("errors").iter().chain(&of("warnings")).map(say).collect()
}

#[test]
fn what_is_kept_apart_for_two_reasons_of_one_name_is_told_once() {
    let dir = directory(&[
        ("1", "", "CREATE TABLE a (id int);"),
        ("2", "1", "ALTER TABLE a ADD COLUMN x int;"),
        ("3", "1", "ALTER TABLE a ADD COLUMN y int;"),
        ("7", "1", "CREATE INDEX CONCURRENTLY ai ON a (id);"),
    ]);
    let dir = dir.path().to_str().unwrap();
    let plan = migraph(&["--dir", dir, "--offline", "plan"]).stdout;
    assert_eq!(plan.matches("kept apart by table public.a: 2, 3, 7").count(), 1, "{plan}");
    let found = migraph(&["--dir", dir, "--offline", "-v", "validate"]).stderr;
    assert_eq!(found.matches("because of table public.a").count(), 1, "{found}");
}

#[test]
fn what_may_be_there_already_is_no_error_when_it_is_made_late() {
    for (uses, makes, level) in [
        ("ALTER TABLE t ADD x int;", "CREATE TABLE t (id int);", "error"),
        ("ALTER TABLE t ADD x int;", "CREATE TABLE IF NOT EXISTS t (id int);", "warning"),
        ("CREATE TABLE s.t ();", "CREATE SCHEMA IF NOT EXISTS s;", "warning"),
        ("SELECT * FROM v;", "CREATE OR REPLACE VIEW v AS SELECT 1;", "warning"),
        ("CREATE OR REPLACE VIEW v AS SELECT * FROM t;", "CREATE TABLE t (id int);", "error"),
        ("CREATE TABLE IF NOT EXISTS t (d d1);", "CREATE DOMAIN d1 AS int;", "warning"),
        (
            "CREATE TABLE t (e e1);",
            "DO $$ BEGIN IF now() > '2000-01-01' THEN CREATE TYPE e1 AS ENUM (); END IF; END $$;",
            "warning",
        ),
    ] {
        let dir = directory(&[("1", "", uses), ("2", "1", makes)]);
        let dir = dir.path().to_str().unwrap();
        let ran = migraph(&["--dir", dir, "--offline", "validate"]);
        let told = format!("{level}[undeclared-dependency]");
        assert!(ran.stderr.contains(&told) && ran.stderr.contains("that depends on it"), "{ran:?}");
        assert_eq!(ran.code == 0, level == "warning", "{ran:?}");
    }
}

/// The ablation of `docs/analysis.md`, over the sample.
#[test]
fn each_inferred_dependency_of_the_sample_is_missed_when_it_is_gone() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let options =
        LoadOptions { dir, unlisted: Unlisted::Refuse, depth: Depth::Meaning, cache: None };
    let loaded = load(&options).unwrap();
    let analysis = Analysis::new(&loaded.graph, loaded.readings);
    let inferred = infer(analysis.footprints(), Strictness::Relaxed);
    let parents = |it: &migraph::analyse::Inferred| it.keys().copied().collect::<Vec<_>>();
    let all: Vec<_> = inferred.iter().map(parents).collect();
    let missing = |declared: &[Vec<usize>]| {
        let counts = |_, touch: migraph::sql::Touch| !touch.soft;
        let missing = undeclared(analysis.footprints(), declared, Strictness::Relaxed, counts);
        missing.iter().map(|it| (it.dependent, it.dependency)).collect::<BTreeSet<_>>()
    };
    assert_eq!(missing(&all), BTreeSet::new());
    let mut tried = 0;
    for (node, needs) in inferred.iter().enumerate() {
        for parent in needs.iter().filter(|(_, need)| !need.soft).map(|(parent, _)| *parent) {
            let mut declared = all.clone();
            declared[node].retain(|it| *it != parent);
            assert!(missing(&declared).contains(&(node, parent)), "{node} needs {parent}");
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn a_broken_file_hides_nothing_of_the_others() {
    let dir = directory(&[
        ("1_a", "", "create table a (id int primary key);"),
        ("2_broken", "1_a", "create tabel b (id int);"),
        ("3_c", "", "create table c (a int references a (id));"),
        ("4_d", "2_broken", "alter table a add x int;"),
    ]);
    assert_eq!(
        found(&dir),
        [
            "syntax: this is not valid SQL",
            "undeclared-dependency: `3_c` uses table public.a and does not depend on `1_a`",
        ]
    );
}

#[test]
fn what_stands_in_no_order_with_what_cannot_be_read_is_told_once() {
    let dynamic = "do $$ begin execute (select 'select 1'); end $$;";
    let dir = directory(&[
        ("1_a", "", "create table a (id int);"),
        ("2_b", "", "create table b (id int);"),
        ("3_c", "2_b", "create table c (id int);"),
        ("4_dynamic", "1_a", dynamic),
        ("5_d", "4_dynamic", "create table d (id int);"),
    ]);
    let expected = "undeclared-dependency: `4_dynamic` cannot be read in whole, and stands in no order with `3_c`";
    let found = found(&dir);
    assert_eq!(found.iter().filter(|one| *one == expected).count(), 1, "{found:#?}");
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn what_is_no_sql_of_postgresql_is_named_and_nothing_takes_long() {
    let cases = [
        ("create table {{ .Schema }}.a (id int);".to_owned(), "a placeholder"),
        ("create table ${schema}.a (id int);".to_owned(), "a placeholder"),
        ("create table `a` (`id` int);".to_owned(), "MySQL's quotes"),
        ("create table [dbo].[a] ([id] int);".to_owned(), "is quoted as \"name\""),
        (format!("select {}1", "(select ".repeat(20_000)), "this bracket is never closed"),
    ];
    for (sql, expected) in cases {
        let dir = directory(&[("1_a", "", &sql)]);
        let begin = Instant::now();
        let ran = migraph(&["--dir", dir.path().to_str().unwrap(), "--offline", "validate"]);
        assert!(begin.elapsed() < Duration::from_secs(10), "{expected}: {:?}", begin.elapsed());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
}
