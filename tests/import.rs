//! Importing from other tools: what is refused, the document, and what holds for any
//! input. `fixtures.rs` has a directory of each layout.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{command, migraph, run, temporary_dir};
use migraph::import::{Defines, Import, ImportError, ImportOptions, Layout, Linking, import};
use migraph::model::Diagnostic;
use migraph::parse::{self, Depth};
use proptest::prelude::*;
use tempfile::TempDir;

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let dir = temporary_dir();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn text(dir: &TempDir) -> &str {
    dir.path().to_str().unwrap()
}

fn options(dir: &Path, layout: Option<Layout>) -> ImportOptions {
    let (dir, linking) = (dir.to_owned(), Linking::Inferred);
    ImportOptions { dir, layout, linking, defines: Defines::default() }
}

fn read(files: &[(&str, &str)]) -> Import {
    import(&options(directory(files).path(), None)).unwrap()
}

#[test]
fn the_layout_is_guessed_or_the_candidates_are_named() {
    let cases: [(&[(&str, &str)], &str); 18] = [
        (&[("1_a.up.sql", "SELECT 1;")], "golang-migrate"),
        (&[("1_a.up.pgsql", "SELECT 1;")], "golang-migrate"),
        (
            &[("1_a.up.sql", "-- Up migration\nSELECT 1;"), ("1_a.down.sql", "-- Up migration")],
            "golang-migrate",
        ),
        (&[("71/03_a.up.sql", "SELECT 1;")], "golang-migrate"),
        (&[("1_a.sql", "-- migrate:up\nSELECT 1;")], "dbmate"),
        (&[("1_a.sql", "-- +goose Up\nSELECT 1;")], "goose"),
        (&[("1_a/up.sql", "SELECT 1;")], "diesel"),
        (&[("1_a.sql", "-- no-transaction\nSELECT 1;")], "sqlx"),
        (&[("1_a.up.sql", "-- no-transaction\nSELECT 1;")], "sqlx"),
        (&[("1_a/migration.sql", "SELECT 1;")], "prisma"),
        (&[("x/V1__a.sql", "SELECT 1;")], "flyway"),
        (&[("sqitch.plan", "a x\n"), ("deploy/a.sql", "SELECT 1;")], "sqitch"),
        (&[("1/up.sql", "SELECT 1;"), ("1/metadata.yaml", "name: a")], "sourcegraph"),
        (&[("1_a.sql", "-- Up Migration\nSELECT 1;")], "node-pg-migrate"),
        (&[("1_a.sql", "SELECT 1;"), ("x.go", "")], "plain"),
        (
            &[("1_a.up.sql", "SELECT 1;"), ("2_b.sql", "-- +goose Up\nSELECT 1;")],
            "the directory may have several layouts: golang-migrate (`1_a.up.sql`), goose (`2_b.sql`)",
        ),
        (&[("a.txt", "")], "the directory has no known layout"),
        (
            &[("1_a.sql", "-- @dependencies: []\n-- UP MIGRATION\nSELECT 1;")],
            "`1_a.sql` is a migration file of migraph already",
        ),
    ];
    for (files, expected) in cases {
        let found = match import(&options(directory(files).path(), None)) {
            Ok(found) => found.layout.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{files:?}");
    }
}

#[test]
fn what_cannot_be_imported_is_exit_2_and_nothing_is_written() {
    let other = directory(&[
        ("migration_lock.toml", "provider = \"mysql\""),
        ("1_a/migration.sql", "SELECT 1;"),
    ]);
    let numbered = directory(&[("1_a.sql", "SELECT 1;")]);
    let full = directory(&[("mine.txt", "")]);
    let empty = temporary_dir();
    let file = full.path().join("mine.txt");
    let file = file.to_str().unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["no/such", "--dry-run"], "`no/such` is not a directory"),
        (&[text(&empty), "--dry-run"], "the directory has no known layout"),
        (&[text(&other), "--dry-run"], "are for mysql, not for PostgreSQL"),
        (&[text(&numbered), "--from", "sqitch", "--dry-run"], "no migrations of sqitch"),
        (&[text(&numbered), "--from", "alembic", "--dry-run"], "golang-migrate, dbmate, goose"),
        (&[text(&numbered)], "`import` needs a directory to write to"),
        (&[text(&numbered), "--out", text(&full)], "is not empty"),
        (&[text(&numbered), "--out", file], "is not a directory"),
    ];
    for (args, expected) in cases {
        let ran = migraph(&[&["import"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
        let ran = migraph(&[&["import", "--format", "json"], args].concat());
        assert_eq!((ran.code, ran.document()["ok"].as_bool()), (2, Some(false)));
    }
    assert_eq!(fs::read_dir(full.path()).unwrap().count(), 1);
}

#[test]
fn the_document_names_everything() {
    let out = temporary_dir();
    let dir = "fixtures/import/golang-migrate";
    let args = ["import", dir, "--out", text(&out), "--format", "json"];
    let ran = migraph(&args);
    let document = ran.document();
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    assert_eq!(document["layout"], "golang-migrate");
    assert_eq!((&document["guessed"], &document["written"]), (&true.into(), &true.into()));
    let posts = &document["migrations"][1];
    assert_eq!(posts["id"], "02_posts");
    assert_eq!(posts["files"], serde_json::json!(["2_posts.up.sql", "2_posts.down.sql"]));
    assert_eq!(posts["dependencies"], serde_json::json!(["01_users"]));
    assert_eq!(posts["has_down"], true);
    let codes = |list: &str| -> Vec<String> {
        let all = document[list].as_array().unwrap();
        all.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        codes("errors"),
        ["code-migration", "code-migration", "template", "syntax", "missing-up"]
    );
    assert_eq!(codes("warnings"), ["needs-left-out", "remarked", "needs-left-out", "no-statement"]);
    assert!(document["unused"].as_array().unwrap().iter().any(|it| it["file"] == "seed.sql"));
    // A second time the directory is no longer empty.
    assert_eq!(migraph(&args).code, 2);
    let dry = migraph(&["import", dir, "--dry-run", "--format", "json"]).document();
    assert_eq!((&dry["written"], &dry["migrations"]), (&false.into(), &document["migrations"]));
}

#[test]
fn settings_stand_in_the_environment_and_in_the_file() {
    let dir = directory(&[("1_a.up.sql", "SELECT 1;"), ("migraph.toml", "out = \"made\"\n")]);
    let ran =
        run(command().current_dir(dir.path()).env("MIGRAPH_FROM", "plain").args(["import", "."]));
    assert_eq!((ran.code, ran.stdout.lines().next()), (0, Some("layout plain")), "{ran:?}");
    assert!(dir.path().join("made/1_a.sql").is_file());
}

#[test]
fn templates_are_resolved_by_what_is_defined() {
    let sql = "CREATE TABLE {{ index .Options \"Namespace\" }}.t (a int, b text DEFAULT '${b}');";
    let dir = directory(&[("1_a.up.sql", sql)]);
    let define = ["--define", "Namespace=app", "--define", "b=x=y"];
    let out = dir.path().join("out");
    let args = ["import", text(&dir), "--out", out.to_str().unwrap()];
    let ran = migraph(&[&args[..], &define].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let made = fs::read_to_string(out.join("1_a.sql")).unwrap();
    assert!(made.contains("CREATE TABLE app.t (a int, b text DEFAULT 'x=y');"), "{made}");
}

#[test]
fn a_placeholder_in_a_string_is_data_unless_the_tool_puts_values_in() {
    let stored = ("1_a.up.sql", "INSERT INTO t VALUES ('trivy -o {{.OUT}}'); -- {{.x}}");
    let found = read(&[stored]);
    let note = "1_a.up.sql: this stands in a string and is taken as it is";
    assert_eq!(ids(&found), ["1_a"]);
    assert!(said(&found)[0].ends_with(note), "{found:?}");
    let found = read(&[stored, ("2_b.up.sql", "CREATE TABLE {{.Schema}}.t (a int);")]);
    let template = |it: &String| it.ends_with(": this is a template, not SQL");
    assert_eq!((ids(&found).len(), said(&found).iter().filter(|it| template(it)).count()), (0, 2));
}

#[test]
fn declared_parents_are_kept_and_a_chain_on_demand() {
    let dir = Path::new("fixtures/import/sourcegraph");
    let needs = |linking| {
        let found = import(&ImportOptions { linking, ..options(dir, None) }).unwrap();
        let index =
            found.migrations.iter().find(|it| it.id.as_str() == "1706693700_index").unwrap();
        let notes = found.migrations.iter().find(|it| it.id.as_str() == "1706693600_user_notes");
        let shown = |it: &migraph::import::Imported| {
            it.dependencies.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        (shown(index), shown(notes.unwrap()))
    };
    let declared = "1706693500_posts 1706693600_user_notes".to_owned();
    assert_eq!(needs(Linking::Inferred), (declared.clone(), "1706693400_users".to_owned()));
    let behind = "1706693400_users 1706693500_posts".to_owned();
    assert_eq!(needs(Linking::Chain), (declared, behind));
}

#[test]
fn a_left_out_migration_is_passed_through() {
    let found = read(&[
        ("1/up.sql", "SELECT 1;"),
        ("1/metadata.yaml", "parents: []"),
        ("2/up.sql", "\\echo"),
        ("2/metadata.yaml", "parents: [1]"),
        ("3/up.sql", "SELECT 3;"),
        ("3/metadata.yaml", "parents: [2]"),
    ]);
    let last = found.migrations.last().unwrap();
    assert_eq!((last.id.as_str(), last.dependencies[0].as_str()), ("3", "1"));
    let notes: Vec<_> = found.notes.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(notes, ["`3` needs `2/up.sql` (`2`), which is left out"]);
}

/// Each problem as `file: message`, and each note.
fn said(found: &Import) -> Vec<String> {
    let all = found.left_out.iter().chain(&found.notes);
    let file = |it: &Diagnostic| {
        let path = it.place.as_ref().unwrap().source.path();
        let parts: Vec<_> = path.iter().rev().take(2).map(|it| it.to_str().unwrap()).collect();
        parts.into_iter().rev().collect::<Vec<_>>().join("/")
    };
    all.map(|it| format!("{}: {}", file(it), it.message.lines().next().unwrap())).collect()
}

fn ids(found: &Import) -> Vec<&str> {
    found.migrations.iter().map(|it| it.id.as_str()).collect()
}

#[test]
fn what_says_nothing_readable_of_itself_is_left_out() {
    let found = read(&[
        ("1/up.sql", "SELECT 1;"),
        ("1/metadata.yaml", "parents: []"),
        ("2/up.sql", "SELECT 2;"),
        ("2/metadata.yaml", "parents: [1"),
        ("3/up.sql", "SELECT 3;"),
        ("3/metadata.yaml", "parents: [2]"),
    ]);
    assert_eq!(ids(&found), ["1", "3"]);
    let [first, second] = &said(&found)[..] else { panic!("{found:?}") };
    assert!(first.starts_with("2/metadata.yaml: this is no YAML"), "{first}");
    assert_eq!(second, "3/up.sql: `3` needs `2/up.sql` (`2`), which is left out");
    for (metadata, message) in [
        ("run_in_transaction = no", "this is no TOML: "),
        ("run_in_transaction = \"false\"", "`run_in_transaction` is not `true` or `false`"),
    ] {
        let found = read(&[
            ("1_a/up.sql", "SELECT 1;"),
            ("1_a/metadata.toml", metadata),
            ("2_b/up.sql", "SELECT 2;"),
        ]);
        assert_eq!(ids(&found), ["2_b"]);
        let [first, second] = &said(&found)[..] else { panic!("{found:?}") };
        assert!(first.starts_with(&format!("1_a/metadata.toml: {message}")), "{first}");
        assert_eq!(
            second,
            "2_b/up.sql: `2_b` comes behind `1_a/up.sql` (`1_a`), which is left out"
        );
    }
    let found = import(&options(not_utf8("V1__a.sql", "V1__a.sql.conf").path(), None)).unwrap();
    assert_eq!((ids(&found).len(), found.left_out.len()), (0, 1));
}

#[test]
fn diesel_runs_what_has_metadata_without_the_key_outside_of_a_transaction() {
    let metadata = [("true", "run_in_transaction = true\n"), ("false", "owner = \"ada\"\n")];
    for (in_transaction, metadata) in metadata {
        let found = read(&[("1_a/up.sql", "SELECT 1;"), ("1_a/metadata.toml", metadata)]);
        let never = found.migrations[0].text.contains("-- @transaction: never");
        assert_eq!((!never).to_string(), in_transaction);
    }
}

#[test]
fn golang_migrate_takes_any_extension_and_small_letters_only() {
    let found = read(&[
        ("1_a.up.sql", "SELECT 1;"),
        ("1_a.up.sql.bak", "SELECT 1;"),
        ("2_b.up.pgsql", "SELECT 2;"),
        ("2_b.down.SQL", "SELECT 2;"),
        ("3_c.UP.sql", "SELECT 3;"),
        ("4_d.up.fizz", "create_table(\"d\") {}"),
        ("5_e.sql", "SELECT 5;"),
        ("seed.sql", "SELECT 5;"),
        ("old/6_f.up.sql", "SELECT 6;"),
    ]);
    assert_eq!(ids(&found), ["1_a", "2_b"]);
    assert!(found.migrations[1].has_down);
    let unused: Vec<_> = found.unused.iter().map(|it| (&*it.file, &*it.reason)).collect();
    assert_eq!(
        unused,
        [
            ("3_c.UP.sql", "golang-migrate knows `.up.` and `.down.` in small letters only"),
            (
                "5_e.sql",
                "its name is not `N_name.up.sql` or `N_name.down.sql`; `--from sqlx` takes it"
            ),
            ("old/6_f.up.sql", "in a directory whose name is no number"),
            ("seed.sql", "its name is not `N_name.up.sql` or `N_name.down.sql`"),
        ]
    );
    let left_out: Vec<_> = found.left_out.iter().map(|it| it.message.as_str()).collect();
    let twice = "it has the version of `1_a.up.sql`, which golang-migrate refuses";
    assert_eq!(left_out, [twice, "the migration is code (.fizz), not SQL"]);
}

#[test]
fn directories_that_count_go_by_number_and_dates_as_texts() {
    let order = |dirs: &[&str]| {
        let files: Vec<_> = dirs.iter().map(|dir| format!("{dir}/up.sql")).collect();
        let files: Vec<_> = files.iter().map(|file| (file.as_str(), "SELECT 1;")).collect();
        let found = read(&files);
        (ids(&found).join(" "), said(&found).join(" "))
    };
    let (ids, said) = order(&["0-init", "1-a", "10-c", "2-b"]);
    assert_eq!(ids, "00-init 01-a 02-b 10-c");
    let note = "`10-c` is taken behind `2-b`, by its number; diesel orders versions as texts";
    assert_eq!(said, format!("10-c/up.sql: {note}"));
    for dated in [
        ["00000000000000_initial", "2024-01-31-093000_a", "2024-02-01-000000-0000_b"],
        ["20240101_a", "20240131093000_b", "20240201_c"],
        // crates.io has such seconds.
        ["20140929103759_a", "20140929103760_b", "20140929103763_c"],
        ["00001_a", "00002_b", "00010_c"],
    ] {
        assert_eq!(order(&dated), (dated.join(" "), String::new()));
    }
}

#[test]
fn a_directory_without_its_script_is_named() {
    for (script, layout) in
        [("up.sql", "diesel"), ("migration.sql", "prisma"), ("up.sql", "sourcegraph")]
    {
        let dir = directory(&[
            (&format!("1_a/{script}"), "SELECT 1;"),
            ("1_a/metadata.yaml", "parents: []"),
            ("3_c/down.sql", "SELECT 3;"),
            ("4_d/notes.txt", ""),
        ]);
        fs::create_dir(dir.path().join("2_b")).unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        let layout = Layout::ALL.into_iter().find(|it| it.as_str() == layout);
        let found = import(&options(dir.path(), layout)).unwrap();
        let parent = dir.path().file_name().unwrap().to_str().unwrap();
        let expected = [
            format!("{parent}/2_b: there is no `{script}` in this directory"),
            format!("3_c/down.sql: there is no `{script}` beside it"),
            format!("{parent}/4_d: there is no `{script}` in this directory"),
        ];
        assert_eq!((ids(&found), said(&found)), (vec!["1_a"], expected.to_vec()), "{layout:?}");
    }
}

#[test]
fn a_plan_of_sqitch_may_name_its_own_project_and_tags_between() {
    let at = "2024-01-31T09:30:00Z Ada <ada@example.com>";
    let plan = format!(
        "%project=shop\n\na {at}\n@v1 {at}\nb [shop:a other:a] {at}\n@v2 {at}\na [a@v2] {at}\n"
    );
    let found = read(&[
        ("sqitch.plan", &plan),
        ("deploy/a@v1.sql", "SELECT 0;"),
        ("deploy/a@v2.sql", "SELECT 1;"),
        ("deploy/a.sql", "SELECT 3;"),
        ("deploy/b.sql", "SELECT 2;"),
    ]);
    let files: Vec<_> = found.migrations.iter().map(|it| it.files[0].as_str()).collect();
    assert_eq!(files, ["deploy/a@v2.sql", "deploy/b.sql", "deploy/a.sql"]);
    assert_eq!(found.migrations[1].dependencies, [found.migrations[0].id.clone()]);
    let left_out: Vec<_> = found.left_out.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(left_out, ["`b` requires `other:a`, which is in another project"]);
}

#[test]
fn a_project_of_sqitch_may_have_its_scripts_elsewhere() {
    let at = "2024-01-31T09:30:00Z Ada <ada@example.com>";
    let plan = format!("a {at}\nb {at}\nc [@ROOT] {at}\nd [@HEAD] {at}\n");
    let found = read(&[
        ("sqitch.conf", "[core]\n\tengine = pg\n\ttop_dir = ./db\n"),
        ("db/sqitch.plan", &plan),
        ("db/deploy/a.sql", "SELECT 1;"),
        ("db/deploy/b.sql", "SELECT 2;"),
        ("db/deploy/c.sql", "SELECT 3;"),
        ("db/deploy/d.sql", "SELECT 4;"),
        ("db/revert/a.sql", "SELECT 0;"),
        ("db/verify/a.sql", "SELECT 0;"),
        ("deploy/a.sql", "SELECT 5;"),
    ]);
    assert_eq!((found.layout, ids(&found)), (Layout::Sqitch, vec!["a", "b", "c", "d"]));
    assert!(found.migrations[0].has_down && found.left_out.is_empty(), "{found:?}");
    let declared = |at: usize| found.migrations[at].dependencies[0].as_str();
    assert_eq!((declared(2), declared(3)), ("a", "c"));
    let unused: Vec<_> = found.unused.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(unused, ["db/sqitch.plan", "db/verify/a.sql", "deploy/a.sql", "sqitch.conf"]);
}

#[test]
fn a_change_of_sqitch_whose_script_is_missing_is_still_named() {
    let at = "2024-01-31T09:30:00Z Ada <ada@example.com>";
    let plan = format!("a {at}\n@v1 {at}\na [a@v1] {at}\n");
    let dir = directory(&[("sqitch.plan", &plan), ("deploy/a.sql", "SELECT 1;")]);
    let found = import(&options(dir.path(), None)).unwrap();
    let parent = dir.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(
        said(&found),
        [
            format!("{parent}/sqitch.plan: there is no deploy script of `a`"),
            "deploy/a.sql: `0002_a` comes behind a migration without a file (`0001_a`), which is left out".to_owned(),
        ]
    );
}

#[test]
fn flyway_asks_for_no_description() {
    let found =
        read(&[("V1__a.sql", "SELECT 1;"), ("V2.sql", "SELECT 2;"), ("U2.sql", "SELECT 3;")]);
    assert_eq!((ids(&found), found.unused.len()), (vec!["V1__a", "V2"], 0));
    assert!(found.migrations[1].has_down && found.left_out.is_empty());
}

#[test]
fn node_pg_migrate_orders_by_instants_of_both_forms_and_then_by_name() {
    let found = read(&[
        ("1706693400123_b.sql", "-- Up Migration\nSELECT 2;"),
        ("1706693400123_c.sql", "SELECT 3;"),
        ("1706693400124_d.sql", "SELECT 4;"),
        ("20240131093000122_a.sql", "SELECT 1;"),
    ]);
    let files: Vec<_> =
        found.migrations.iter().map(|it| &it.files[0][it.files[0].len() - 5..]).collect();
    assert_eq!(files, ["a.sql", "b.sql", "c.sql", "d.sql"]);
    assert!(found.left_out.is_empty());
    let pair = directory(&[("1_a.up.sql", "SELECT 1;"), ("1_a.down.sql", "SELECT 2;")]);
    let found = import(&options(pair.path(), Some(Layout::NodePgMigrate))).unwrap();
    assert_eq!((ids(&found), found.left_out.len()), (vec!["1_a.up"], 1));
}

#[test]
fn what_undoes_a_plain_file_is_never_one_that_applies() {
    let cases = [
        ("1_a.sql", "1_a.down.sql", "1_a"),
        ("001.do.a.sql", "001.undo.a.sql", "001.a"),
        ("up/1_a.sql", "down/1_a.sql", "1_a"),
        ("1_a.sql", "rollback/1_a.sql", "1_a"),
    ];
    for (up, down, id) in cases {
        let found = read(&[(up, "SELECT 1;"), (down, "SELECT 2;")]);
        assert_eq!((found.layout, ids(&found)), (Layout::Plain, vec![id]), "{up}");
        assert!(found.left_out.is_empty() && found.migrations[0].has_down, "{found:?}");
        assert!(found.migrations[0].text.contains("-- DOWN MIGRATION\nSELECT 2;"));
    }
}

#[test]
fn a_v_may_stand_before_a_plain_number() {
    let pair = [("V0002.a.up.sql", "select 1;"), ("V0002.a.down.sql", "select 2;")];
    let found = read(&[pair[0], pair[1], ("V0010.b.up.sql", "select 3;")]);
    assert_eq!(ids(&found), ["0002.a", "0010.b"]);
    assert!(found.migrations[0].has_down && said(&found).is_empty(), "{found:?}");
}

#[test]
fn plain_versions_are_ordered_as_versions_and_kept_in_the_id() {
    let cases: [(&[&str], &[&str]); 8] = [
        (&["0.10/1.sql", "0.9/1.sql", "LATEST.sql"], &["0.09_1", "0.10_1", "LATEST"]),
        (&["1.10.0/1.sql", "1.9.0/1.sql"], &["1.09.0_1", "1.10.0_1"]),
        (&["0.10/00__b.sql", "0.9/00__a.sql"], &["0.09_00__a", "0.10_00__b"]),
        (&["v1.10/1_b.sql", "v1.9/1_a.sql", "v1.9/2_a.sql"], &["1.09_1_a", "1.09_2_a", "1.10_1_b"]),
        (&["1.10.0.sql", "1.9.1.sql", "1.9.sql"], &["1.09", "1.09.1", "1.10.0"]),
        (
            &["1.9_x/2.sql", "1.9_y/1.sql", "1.9-z.sql", "x.sql"],
            &["0001_1.9-z", "0002_1.9_2", "0003_1.9_1", "0004_x"],
        ),
        (&["v1.10_b.sql", "v1.9_a.sql"], &["1.09_a", "1.10_b"]),
        (&["1.10/alter.sql", "1.9/make.sql"], &["0001_1.9_make", "0002_1.10_alter"]),
    ];
    for (files, expected) in cases {
        let files: Vec<_> = files.iter().map(|name| (*name, "SELECT 1;")).collect();
        let found = import(&options(directory(&files).path(), Some(Layout::Plain))).unwrap();
        assert_eq!(ids(&found), expected);
    }
}

#[test]
fn a_commit_that_nothing_began_becomes_a_remark() {
    let found = read(&[
        ("1_a.sql", "create table t(a int);\nCOMMIT;\n"),
        ("2_b.sql", "begin; insert into t values (1); commit;"),
        ("3_c.sql", "commit; insert into t values (1); commit;"),
    ]);
    assert!(found.migrations[0].text.ends_with("(a int);\n-- (not needed) COMMIT;\n"));
    assert!(found.migrations[1].text.contains("(1); commit;"));
    let third = &found.migrations[2].text;
    assert!(third.contains("BEGIN;\ncommit; BEGIN;\ninsert into t values (1); commit;"), "{third}");
    assert_eq!(ids(&found), ["1_a", "2_b", "3_c"]);
}

#[test]
fn what_stands_before_a_stray_commit_is_one_transaction() {
    let files = [
        ("1_a.sql", "create table t (a int);\nCOMMIT;\ncreate index concurrently i on t (a);"),
        ("2_b.sql", "alter table t add b int;\nCOMMIT;\nBEGIN;\nupdate t set b = 1;"),
        ("3_c.sql", "alter table t add c int;\nBEGIN;\nupdate t set c = 1;"),
    ];
    let dir = directory(&files);
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    let ran = migraph(&["import", text(&dir), "--out", out]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let made = fs::read_to_string(dir.path().join("out/1_a.sql")).unwrap();
    assert!(made.contains("-- UP MIGRATION\nBEGIN;\ncreate table t (a int);\nCOMMIT;\n"), "{made}");
    let ran = migraph(&["--dir", out, "up", "--ephemeral"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // psql commits each statement, and so does sqitch: there is nothing to end.
    let at = "2024-01-31T09:30:00Z Ada <ada@example.com>";
    let plan = format!("%project=shop\n\na {at}\n");
    let sqitch = read(&[("sqitch.plan", &plan), ("deploy/a.sql", files[0].1)]);
    assert_eq!((ids(&sqitch).len(), sqitch.left_out.len()), (0, 1));
}

#[test]
fn a_breakpoint_of_drizzle_ends_a_statement() {
    let found = read(&[(
        "1_a.sql",
        "select 1 -- x\n--> statement-breakpoint\nselect 2;--> statement-breakpoint\n--> statement-breakpoint\nselect '\n--> statement-breakpoint\n'",
    )]);
    let expected = "select 1; -- x\n--> statement-breakpoint\nselect 2;--> statement-breakpoint\n--> statement-breakpoint\nselect '\n--> statement-breakpoint\n'\n";
    assert!(found.migrations[0].text.ends_with(expected), "{found:?}");
}

#[test]
fn a_link_that_leads_nowhere_is_left_out() {
    let dir = directory(&[("1_a.up.sql", "SELECT 1;")]);
    for name in ["2_b.up.sql", "notes.txt", ".#1_a.up.sql"] {
        std::os::unix::fs::symlink("nowhere", dir.path().join(name)).unwrap();
    }
    let found = import(&options(dir.path(), None)).unwrap();
    let left_out: Vec<_> = found.left_out.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        (ids(&found), left_out),
        (vec!["1_a"], vec!["cannot read the file: the link leads nowhere"])
    );
    let unused: Vec<_> = found.unused.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(unused, ["notes.txt"]);
}

/// A directory with a script, and beside it a file that is no text.
fn not_utf8(script: &str, other: &str) -> TempDir {
    let dir = directory(&[(script, "SELECT 1;")]);
    fs::write(dir.path().join(other), b"\xff").unwrap();
    dir
}

#[test]
fn line_ends_and_marks_of_windows_are_as_in_any_file_of_migraph() {
    let found = read(&[("1_a.up.sql", "\u{feff}SELECT 'a',\r\n  'b';\r\n")]);
    assert!(found.migrations[0].text.ends_with("-- UP MIGRATION\nSELECT 'a',\n  'b';\n"));
}

#[test]
fn what_is_imported_applies() {
    for layout in ["golang-migrate", "goose", "sqitch", "plain", "sourcegraph", "flyway"] {
        let dir = temporary_dir();
        let out = dir.path().join("out");
        let source = format!("fixtures/import/{layout}");
        migraph(&["import", &source, "--out", out.to_str().unwrap()]);
        let ran = migraph(&["--dir", out.to_str().unwrap(), "up", "--ephemeral", "--jobs", "1"]);
        assert_eq!(ran.code, 0, "{layout}: {}", ran.stderr);
    }
}

/// The scripts of a migration that was imported, without empty lines around them.
fn scripts(text: &str) -> (String, Option<String>) {
    let parsed = parse::parse(PathBuf::from("a.sql"), text.as_bytes().to_vec(), Depth::Syntax);
    assert!(parsed.scripts.is_some(), "{:?}", parsed.diagnostics);
    let (up, down) = parsed.scripts.unwrap();
    let trimmed = |span| parsed.source.slice(span).trim().to_owned();
    (trimmed(up.span), down.map(|down| trimmed(down.span)))
}

/// SQL with everything in it that could be taken for a part of a file.
fn sql() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("SELECT 1;"),
        Just("SELECT ';', $$ -- UP MIGRATION\n$$;"),
        Just("-- a remark"),
        Just("-- @dependencies: [x]"),
        Just("-- @name: x"),
        Just("/* -- DOWN MIGRATION\n*/"),
        Just("SELECT '\n-- DOWN MIGRATION\n';"),
        Just("BEGIN;\nSELECT 2;\nCOMMIT;"),
        Just("COPY t FROM stdin;\n-- DOWN MIGRATION\n\\."),
        Just(""),
        Just("SELECT 'é€🧬';"),
    ];
    proptest::collection::vec(line, 0..6).prop_map(|lines| lines.join("\n") + "\nSELECT 9;")
}

/// A name of the kind that some layout looks for.
fn name() -> impl Strategy<Value = String> {
    let start = prop_oneof![
        "[0-9]{1,14}",
        "[VURB][0-9._]{0,4}",
        "[a-z_é ]{1,3}",
        "(deploy|revert|up|down)/x"
    ];
    let middle = "(_|__|-|\\.|/)[a-z0-9_.@ é]{0,6}";
    let end = prop_oneof![
        Just(".sql"),
        Just(".up.sql"),
        Just(".UP.SQL"),
        Just(".up.pgsql"),
        Just(".undo.x.sql"),
        Just(".down.sql"),
        Just("/up.sql"),
        Just("/down.sql"),
        Just("/migration.sql"),
        Just("/metadata.yaml"),
        Just("/metadata.toml"),
        Just(".sql.conf"),
        Just(".go"),
        Just(""),
    ];
    prop_oneof![
        (start, middle, end)
            .prop_map(|(start, middle, end)| format!("{start}{middle}{end}").replace("//", "/")),
        Just("sqitch.plan".to_owned()),
        Just("migration_lock.toml".to_owned()),
    ]
}

/// Bytes of the kind that some layout reads.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let mark = prop_oneof![
        Just("-- +goose Up\n"),
        Just("-- +goose Down\n"),
        Just("-- +goose ENVSUB ON\n"),
        Just("-- +goose StatementBegin\n"),
        Just("-- +goose StatementEnd\n"),
        Just("SELECT 2 -- é\n"),
        Just("-- migrate:up\n"),
        Just("-- migrate:down transaction:false\n"),
        Just("-- Up Migration\n"),
        Just("-- Down Migration\n"),
        Just("-- no-transaction\n"),
        Just("SELECT 1;\n"),
        Just("SELECT ${x} {{ .y }}\n"),
        Just("name: x\nparents: [1, *a, 2]\n"),
        Just("run_in_transaction = false\n"),
        Just("a [b@v !c d:e] 2024-01-31T09:30:00Z é\n@v\n"),
        Just("x@y [@v] [ # \n-a\n"),
        Just("$é '\u{feff}\r\n"),
    ];
    prop_oneof![
        proptest::collection::vec(mark, 0..6).prop_map(|all| all.concat().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 128,
        ..ProptestConfig::default()
    })]

    #[test]
    fn scripts_come_through_as_they_are(up in sql(), down in sql()) {
        let found = read(&[("1_a.up.sql", up.as_str()), ("1_a.down.sql", down.as_str())]);
        prop_assert!(found.left_out.is_empty(), "{:?}", found.left_out);
        let migration = &found.migrations[0];
        let (own_up, own_down) = scripts(&migration.text);
        prop_assert_eq!(own_up, up.trim());
        prop_assert_eq!(own_down.as_deref(), Some(down.trim()));
    }

    #[test]
    fn anything_is_read_and_nothing_is_lost(
        files in proptest::collection::btree_map(name(), bytes(), 1..8)
    ) {
        let dir = temporary_dir();
        let mut made = Vec::new();
        for (name, bytes) in &files {
            let path = dir.path().join(name);
            let parent = fs::create_dir_all(path.parent().unwrap());
            if parent.and_then(|()| fs::write(&path, bytes)).is_ok() {
                made.push(path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned());
            }
        }
        let guessed = import(&options(dir.path(), None));
        prop_assert!(!matches!(guessed, Err(ImportError::NoDirectory(_))));
        for layout in Layout::ALL {
            let Ok(found) = import(&options(dir.path(), Some(layout))) else { continue };
            for one in &found.migrations {
                scripts(&one.text);
                prop_assert!(one.dependencies.iter().all(|it| *it < one.id));
            }
            let ids: Vec<_> = found.migrations.iter().map(|it| it.id.clone()).collect();
            prop_assert!(ids.is_sorted_by(|a, b| a < b));
            for name in &made {
                let hidden = name.split('/').any(|part| part.starts_with('.'));
                prop_assert!(hidden || is_named(&found, dir.path(), name), "{layout}: {name}: {found:?}");
            }
        }
    }
}

/// Whether the result says what became of this file.
fn is_named(found: &Import, dir: &Path, name: &str) -> bool {
    let path = dir.join(name);
    found.migrations.iter().any(|it| it.files.iter().any(|file| file == name))
        || found.unused.iter().any(|it| it.file == name)
        || found.left_out.iter().any(|it| {
            let mut places = it.place.iter().chain(&it.related);
            places.any(|place| place.source.path() == path)
        })
}
