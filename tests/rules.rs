//! The pages of the rules in `docs/rules/`, and what sets their levels.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Ran, migraph, temporary_dir};
use migraph::model::{Code, Level, Preset};

/// The stems of the pages, without the list of them.
fn pages() -> BTreeSet<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
    let entries = fs::read_dir(dir).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let stems = entries.map(|entry| stem(&entry.unwrap().path()));
    stems.filter(|stem| stem != "README").collect()
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(codes.len(), Code::ALL.len(), "two codes have one name");
    assert_eq!(pages(), codes);
}

#[test]
fn every_page_has_its_parts() {
    for code in Code::ALL {
        let page = code.page();
        assert!(page.starts_with(&format!("# `{code}`\n\n")), "{code}");
        let headings: Vec<_> = page.lines().filter(|line| line.starts_with("## ")).collect();
        let expected = ["## Problem", "## Why it matters in parallel", "## How to mend"];
        assert_eq!(headings, expected, "{code}");
        for text in [code.summary(), code.problem()] {
            assert!(text.ends_with('.') && !text.contains('\n'), "{code}: {text}");
        }
        // SARIF takes single braces for the places of arguments.
        assert!(!page.contains(['{', '}']), "{code}");
    }
}

#[test]
fn the_list_of_pages_has_their_summaries() {
    let list =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md"));
    let line = |code: &Code| format!("- [`{code}`]({code}.md): {}\n", code.summary());
    let lines = |codes: &[Code]| codes.iter().map(line).collect::<String>();
    let ours = lines(&Code::ALL[..Code::ALL.len() - Code::SAFETY.len()]);
    let list = list.unwrap();
    assert!(list.contains(&format!("\n\n{ours}\n")), "expected:\n{ours}");
    let safety = lines(Code::SAFETY);
    assert!(list.ends_with(&format!("\n\n{safety}")), "expected:\n{safety}");
}

/// The rules in back-quotes in the part of the list of pages that begins with `from`.
fn named_behind(from: &str, until: &str) -> BTreeSet<String> {
    let list =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md"));
    let list = list.unwrap();
    let part = list.split(from).nth(1).unwrap().split(until).next().unwrap();
    let quoted = part.split('`').skip(1).step_by(2);
    quoted.filter(|word| Code::named(word).is_some()).map(str::to_owned).collect()
}

#[test]
fn the_presets_are_described_as_they_are() {
    let names = |preset: Preset| {
        preset.codes().map(|code| code.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    let additive = names(Preset::AdditiveOnly);
    assert_eq!(named_behind("- **`additive-only`**", "\n"), additive);
    let more: BTreeSet<_> = names(Preset::Production).difference(&additive).cloned().collect();
    assert_eq!(named_behind("- **`production`**", "\n"), more);
}

#[test]
fn the_levels_are_described_as_they_are() {
    for level in [Level::Warn, Level::Info] {
        let of_level = Code::ALL.iter().filter(|code| code.default_level() == Some(level));
        let expected: BTreeSet<_> = of_level.map(|code| code.as_str().to_owned()).collect();
        let until = format!(" | `{}` |", level.as_str());
        let list =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md"))
                .unwrap();
        let row = list.split('\n').find(|line| line.ends_with(&until)).unwrap();
        let named = row.split('`').filter(|word| Code::named(word).is_some());
        assert_eq!(named.map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    }
}

/// Validates one migration under `rules`, the text of a `migraph.toml`.
fn validate(rules: &str, sql: &str, args: &[&str]) -> Ran {
    let dir = temporary_dir();
    let config = dir.path().join("migraph.toml");
    fs::write(&config, format!("dir = \"m\"\n{rules}")).unwrap();
    fs::create_dir(dir.path().join("m")).unwrap();
    fs::write(dir.path().join("m/1.sql"), format!("-- @dependencies: []\n{sql}")).unwrap();
    migraph(&[&["--config", config.to_str().unwrap(), "validate"], args].concat())
}

/// `code` and the level of every finding.
fn told(ran: &Ran) -> String {
    let document = ran.document();
    let of = |list: &str, level: &str| {
        let all = document[list].as_array().cloned().unwrap_or_default();
        all.iter().map(|it| format!("{level} {}", it["code"].as_str().unwrap())).collect::<Vec<_>>()
    };
    [of("errors", "error"), of("warnings", "warn"), of("notes", "info")].concat().join(", ")
}

#[test]
fn a_rule_has_the_level_that_the_configuration_gives_it() {
    let drop = "DROP TABLE IF EXISTS t;";
    let cases = [
        ("", drop, ""),
        ("[rules]\nban-drop-table = \"info\"", drop, "info ban-drop-table"),
        ("[rules]\nban-drop-table = \"warn\"", drop, "warn ban-drop-table"),
        ("[rules]\nban-drop-table = \"error\"", drop, "error ban-drop-table"),
        ("[rules]\npreset = \"additive-only\"", drop, "error ban-drop-table"),
        ("[rules]\npreset = \"production\"\nban-drop-table = \"off\"", drop, ""),
        ("[rules]\nunknown-key = \"error\"", "-- @x: y\nSELECT 1;", "error unknown-key"),
        ("[rules]\nbarrier = \"off\"", "DROP TYPE t;", ""),
        ("[rules]\nbarrier = \"warn\"", "DROP TYPE t;", "warn barrier"),
    ];
    for (rules, sql, expected) in cases {
        let ran = validate(rules, sql, &["--format", "json"]);
        assert_eq!(told(&ran), expected, "{rules}: {sql}");
        assert_eq!(ran.code, i32::from(expected.starts_with("error")), "{rules}: {sql}");
        let strict = validate(rules, sql, &["--strict"]);
        assert_eq!(strict.code, i32::from(expected.contains("error") || expected.contains("warn")));
    }
}

#[test]
fn a_reference_of_an_empty_column_is_not_checked() {
    let rules = "[rules]\nadding-foreign-key-constraint = \"warn\"";
    let cases = [
        ("ADD COLUMN a int REFERENCES u", ""),
        ("ADD COLUMN a int DEFAULT 1 REFERENCES u", "warn adding-foreign-key-constraint"),
        (
            "ADD COLUMN a int, ADD FOREIGN KEY (a) REFERENCES u",
            "warn adding-foreign-key-constraint",
        ),
        ("ADD FOREIGN KEY (a) REFERENCES u NOT VALID", ""),
    ];
    for (action, expected) in cases {
        let ran = validate(rules, &format!("ALTER TABLE t {action};"), &["--format", "json"]);
        assert_eq!(told(&ran), expected, "{action}");
    }
}

#[test]
fn a_lock_timeout_is_missing_only_where_there_is_none() {
    let rules = "[rules]\nrequire-lock-timeout = \"warn\"";
    let alter = "ALTER TABLE t ADD c int;";
    let beside = format!("VACUUM t;\n{alter}");
    let found = "warn require-lock-timeout";
    let cases = [
        ("", alter.to_owned(), ""),
        ("lock-timeout = \"0\"", alter.to_owned(), found),
        ("lock-timeout = 0", format!("-- @lockTimeout: 1s\n{alter}"), ""),
        ("", format!("-- @lockTimeout: 0\n{alter}"), found),
        ("", format!("-- @lockTimeout: 0\nSET lock_timeout = '1s';\n{alter}"), ""),
        ("", beside.clone(), "warn mixed-nontransactional, warn require-lock-timeout"),
        ("", format!("-- @lockTimeout: 1s\n{beside}"), "warn mixed-nontransactional"),
        ("", "CREATE INDEX CONCURRENTLY i ON t (a);".to_owned(), ""),
    ];
    for (setting, sql, expected) in cases {
        let ran = validate(&format!("{setting}\n{rules}"), &sql, &["--format", "json"]);
        assert_eq!(told(&ran), expected, "{setting}: {sql}");
    }
    let rules = "[rules]\nrequire-statement-timeout = \"warn\"";
    let without = validate(rules, alter, &["--format", "json"]);
    assert_eq!(told(&without), "warn require-statement-timeout");
    let with = format!("statement-timeout = \"1min\"\n{rules}");
    assert_eq!(told(&validate(&with, alter, &["--format", "json"])), "");
}

#[test]
fn a_limit_that_the_script_switches_off_is_missing() {
    let rules = "lock-timeout = \"2s\"\n[rules]\nrequire-lock-timeout = \"warn\"";
    let alter = "ALTER TABLE t ADD c int;";
    let found = "warn require-lock-timeout";
    let cases = [
        ("", ""),
        ("SET lock_timeout = 0;", found),
        ("SET LOCAL lock_timeout = 0;", found),
        ("SET lock_timeout TO '0s';", found),
        ("SET lock_timeout = DEFAULT;", found),
        ("RESET lock_timeout;", found),
        ("SET lock_timeout = '10s';", ""),
        ("SET statement_timeout = 0;", ""),
        ("SET lock_timeout = 0; SET lock_timeout = '1s';", ""),
        ("SET lock_timeout = 0; CREATE TABLE t (); ALTER TABLE t OWNER TO r;", ""),
        ("SET lock_timeout = 0; CREATE TABLE t (); CREATE POLICY p ON t;", ""),
    ];
    for (before, expected) in cases {
        let ran = validate(rules, &format!("{before}\n{alter}"), &["--format", "json"]);
        assert_eq!(told(&ran), expected, "{before}");
    }
    let sql = format!("-- @lockTimeout: 5s\nSET lock_timeout = 0;\n{alter}");
    let ran = validate(rules, &sql, &[]);
    assert!(ran.stderr.contains("the script switches `lock_timeout` off"), "{}", ran.stderr);
}

/// The statements of `cases` of which `rule` says something.
fn found_by(rule: &str, cases: &[&str]) -> Vec<String> {
    let rules = format!("[rules]\n{rule} = \"warn\"\nmixed-nontransactional = \"off\"");
    let is_found = |sql: &&&str| {
        let told = told(&validate(&rules, &format!("SELECT 1;\n{sql}"), &["--format", "json"]));
        assert!(!told.contains("error"), "{sql}: {told}");
        told.contains(&format!("warn {rule}"))
    };
    cases.iter().filter(is_found).map(ToString::to_string).collect()
}

#[test]
fn what_cannot_be_repeated_is_found() {
    let cannot = [
        "CREATE SEQUENCE s;",
        "CREATE SCHEMA x;",
        "CREATE EXTENSION hstore;",
        "CREATE MATERIALIZED VIEW mm AS SELECT 1;",
        "CREATE VIEW v AS SELECT 1;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1';",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
        "CREATE TYPE e AS ENUM ('a');",
        "CREATE DOMAIN d AS text;",
        "CREATE POLICY p ON t;",
        "CREATE TABLE a AS SELECT 1 AS one;",
        "SELECT 1 AS one INTO a;",
        "CREATE ROLE r;",
        "CREATE PUBLICATION p;",
        "CREATE INDEX ON t (a);",
        "ALTER TYPE e ADD VALUE 'c';",
        "DROP VIEW v;",
        "DROP TYPE IF EXISTS f; CREATE TYPE e AS ENUM ('a');",
        "CREATE TABLE IF NOT EXISTS t (); CREATE POLICY p ON t;",
    ];
    assert_eq!(found_by("not-repeatable", &cannot), cannot);
}

#[test]
fn what_can_be_repeated_is_not() {
    let can = [
        "CREATE SEQUENCE IF NOT EXISTS s;",
        "CREATE SCHEMA IF NOT EXISTS x;",
        "CREATE EXTENSION IF NOT EXISTS earthdistance CASCADE;",
        "CREATE OR REPLACE VIEW v AS SELECT 1;",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE OR REPLACE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
        "ALTER TYPE e ADD VALUE IF NOT EXISTS 'c' BEFORE 'd';",
        "DROP TYPE IF EXISTS e; CREATE TYPE e AS ENUM ('a'); ALTER TYPE e ADD VALUE 'c';",
        "DROP POLICY IF EXISTS p ON t; CREATE POLICY p ON t;",
        "DROP TABLE IF EXISTS t; CREATE TABLE t (a int); CREATE POLICY p ON t; CREATE INDEX ON t (a);",
        "DROP SCHEMA IF EXISTS x CASCADE; CREATE SCHEMA x; CREATE VIEW x.v AS SELECT 1;",
        "ALTER TYPE e RENAME TO old; CREATE TYPE e AS ENUM ('a');",
        "DO $$ BEGIN IF to_regtype('e') IS NULL THEN CREATE TYPE e AS ENUM ('a'); END IF; END $$;",
        "DO $$ BEGIN DROP TYPE IF EXISTS e; END $$; CREATE TYPE e AS ENUM ('a');",
        "CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TYPE e AS ENUM ('a'); END $$; SELECT f(); DROP FUNCTION f();",
        "CREATE TEMP TABLE a AS SELECT 1 AS one; CREATE INDEX ON a (one);",
        "SELECT 1 AS one INTO TEMP a;",
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "DROP VIEW IF EXISTS v;",
    ];
    assert_eq!(found_by("not-repeatable", &can), [""; 0]);
}

#[test]
fn what_blocks_is_found() {
    let blocks = [
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS q bigserial;",
        "CLUSTER t USING i;",
        "CLUSTER;",
        "VACUUM FULL t;",
        "VACUUM (ANALYZE, FULL) t;",
        "VACUUM FULL;",
        "ALTER TABLE t SET UNLOGGED;",
        "ALTER TABLE t SET LOGGED;",
        "ALTER TABLE t SET TABLESPACE s;",
        "ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b;",
        "ALTER INDEX i SET TABLESPACE s;",
        "LOCK TABLE t;",
        "LOCK TABLE t IN ACCESS EXCLUSIVE MODE;",
        "LOCK TABLE t IN SHARE MODE;",
        "REFRESH MATERIALIZED VIEW m;",
        "DO $$ BEGIN LOCK TABLE t; END $$;",
        "CREATE TABLE u (); LOCK TABLE u, t;",
    ];
    assert_eq!(found_by("blocking-statement", &blocks), blocks);
}

#[test]
fn what_is_in_nobodys_way_is_not() {
    let free = [
        "CREATE TABLE IF NOT EXISTS t (); ALTER TABLE t ADD q bigserial; LOCK TABLE t; CLUSTER t;",
        "DO $$ BEGIN CREATE TABLE t (); LOCK TABLE t; END $$;",
        "CREATE MATERIALIZED VIEW m AS SELECT 1; REFRESH MATERIALIZED VIEW m;",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m;",
        "VACUUM full_text;",
        "VACUUM (FULL false) t;",
        "VACUUM (ANALYZE) t;",
        "ALTER TABLE t SET (fillfactor = 70);",
        "ALTER TABLE t CLUSTER ON i;",
        "LOCK TABLE t IN ROW EXCLUSIVE MODE;",
        "LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE;",
        "ALTER TABLE t ADD COLUMN q bigint;",
        "ALTER TABLE t ADD COLUMN q bigint GENERATED BY DEFAULT AS IDENTITY;",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN LOCK TABLE t; END $$;",
    ];
    assert_eq!(found_by("blocking-statement", &free), [""; 0]);
}

#[test]
fn what_takes_rows_or_parts_away_is_not_additive() {
    let takes = [
        "DELETE FROM t;",
        "WITH gone AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT a FROM gone;",
        "ALTER PUBLICATION p DROP TABLE t;",
    ];
    assert_eq!(found_by("not-additive", &takes), takes);
    let leaves = [
        "DELETE FROM t WHERE a;",
        "CREATE TABLE t (); DELETE FROM t;",
        "ALTER PUBLICATION p ADD TABLE t;",
        "CREATE PUBLICATION p FOR TABLE t; ALTER PUBLICATION p DROP TABLE t;",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM t';",
    ];
    assert_eq!(found_by("not-additive", &leaves), [""; 0]);
}

#[test]
fn comments_silence_whatever_the_line_ends_are() {
    let rules = "[rules]\npreset = \"additive-only\"";
    let cases = [
        ("-- migraph-ignore: ban-drop-table: gone\nDROP TABLE t;", ""),
        ("-- migraph-ignore: ban-drop-table: gone\n\n-- x\n\nDROP TABLE t;", ""),
        ("-- migraph-ignore-file: ban-drop-table: gone\nSELECT 1;\nDROP TABLE t;", ""),
        ("-- squawk-ignore-file ban-drop-table -- gone\nDROP TABLE t;", ""),
        ("DROP TABLE t;\n-- squawk-ignore-file -- gone", ""),
        ("DROP TABLE t;\n-- squawk-ignore-file", "error ignore-without-reason"),
        (
            "-- migraph-ignore: ban-drop-table: gone\nSELECT 1;\nDROP TABLE t;",
            "error ban-drop-table, warn unused-ignore",
        ),
        ("SELECT 1; DROP TABLE t; -- migraph-ignore: ban-drop-table: gone", ""),
        ("-- migraph-ignore: ban-drop-table: gone\nBEGIN; DROP TABLE t; COMMIT;", ""),
    ];
    for (sql, expected) in cases {
        for sql in [sql.to_owned(), sql.replace('\n', "\r\n")] {
            let ran = validate(rules, &sql, &["--format", "json"]);
            assert_eq!(told(&ran), expected, "{sql:?}");
        }
    }
}

#[test]
fn what_cannot_be_silenced_is_told() {
    let sql = "-- migraph-ignore-file: syntax, undeclared-dependency: please\nSELEC 1;";
    let ran = validate("", sql, &["--format", "json"]);
    assert_eq!((ran.code, told(&ran).as_str()), (1, "error syntax"));
}

#[test]
fn every_form_carries_them() {
    let rules = "[rules]\nban-drop-table = \"error\"";
    let sql = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON u (a);\nDROP TABLE t;";
    for format in ["text", "json", "gcc", "github", "sarif", "junit"] {
        let ran = validate(rules, sql, &["--format", format]);
        let out = ran.stdout.clone() + &ran.stderr;
        for name in ["ban-drop-table", "concurrently-if-not-exists", "mixed-nontransactional"] {
            assert!(out.contains(name), "{format}: {out}");
        }
        assert_eq!(ran.code, 1, "{format}");
    }
}

#[test]
fn a_mistake_in_the_rules_is_exit_2() {
    let ran = validate("[rules]\nban-drop-tabel = \"error\"", "SELECT 1;", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("did you mean `ban-drop-table`?"), "{}", ran.stderr);
    let ran = validate("[rules]\ncycle = \"off\"", "SELECT 1;", &[]);
    assert!(ran.stderr.contains("the level of `cycle` is fixed"), "{}", ran.stderr);
}

#[test]
fn rules_are_listed_and_explained() {
    let list = validate("[rules]\npreset = \"additive-only\"", "", &["--list-rules"]);
    assert_eq!(list.code, 0, "{}", list.stderr);
    for code in Code::ALL {
        assert!(list.stdout.contains(&format!("  {code} ")), "{code}");
    }
    assert!(list.stdout.contains("\nerror  ban-drop-table "), "{}", list.stdout);
    assert!(list.stdout.contains("\nfixed  cycle "), "{}", list.stdout);
    let page = migraph(&["validate", "--explain", "cycle"]);
    assert_eq!((page.code, page.stdout.as_str()), (0, Code::Cycle.page()));
    let unknown = migraph(&["validate", "--explain", "cycles"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("did you mean `cycle`?"), "{}", unknown.stderr);
}
