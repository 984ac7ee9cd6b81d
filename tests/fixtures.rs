//! Each directory below `fixtures/` against a snapshot of what the program says
//! about it: `bad` ones their diagnostics, `good` ones their plan and what was
//! read in them, `rules` what the rules in their `migraph.toml` find.
//!
//! `cargo insta review` shows what changed; read it as its user would.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use common::{Ran, command, migraph, repository, run, temporary_dir};
use migraph::load::{LoadOptions, load};
use migraph::model::{Execution, Migration, Script, Statement, StatementKind, Step};
use migraph::parse::{Depth, Unlisted};

/// The directories in `fixtures/{group}`, sorted.
fn situations(group: &str) -> Vec<String> {
    let entries = fs::read_dir(repository().join("fixtures").join(group)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn validate(dir: &str) -> Ran {
    migraph(&["--dir", dir, "validate"])
}

#[test]
fn what_is_bad_is_said() {
    for name in situations("bad") {
        let ran = validate(&format!("fixtures/bad/{name}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{name}");
        snapshot(&format!("bad__{name}"), &ran.stderr);
    }
}

#[test]
fn what_is_good_is_read_and_planned() {
    for name in situations("good") {
        let dir = format!("fixtures/good/{name}");
        let checked = validate(&dir);
        assert_eq!(checked.code, 0, "{name}: {}", checked.stderr);
        let planned = migraph(&["--dir", &dir, "plan", "--offline"]);
        assert_eq!(planned.code, 0, "{name}: {}", planned.stderr);
        let text = format!(
            "{}{}\n---- plan\n{}\n---- read\n{}",
            checked.stdout,
            checked.stderr,
            planned.stdout,
            read(&dir)
        );
        snapshot(&format!("good__{name}"), &text);
    }
}

/// Each layout of other tools, and what is made of it: what is said, the files, and
/// that they are what `validate` accepts.
#[test]
fn what_other_tools_have_is_imported() {
    for layout in situations("import") {
        let dir = temporary_dir();
        let out = dir.path().join("out");
        let out = out.to_str().unwrap();
        let ran = migraph(&["import", &format!("fixtures/import/{layout}"), "--out", out]);
        assert!(ran.stdout.starts_with(&format!("layout {layout} (guessed)\n")), "{ran:?}");
        let checked = validate(out);
        assert_eq!(checked.code, 0, "{layout}: {}", checked.stderr);
        let mut text = format!("exit {}\n{}----\n{}", ran.code, ran.stdout, ran.stderr);
        let mut files: Vec<_> = fs::read_dir(out).unwrap().map(|it| it.unwrap().path()).collect();
        files.sort();
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            let _ = write!(text, "==== {name}\n{}", fs::read_to_string(&file).unwrap());
        }
        snapshot(&format!("import__{layout}"), &text);
    }
}

/// What each set of rules finds.
#[test]
fn rules_find_what_they_are_about() {
    for name in situations("rules") {
        let config = format!("fixtures/rules/{name}/migraph.toml");
        let ran = migraph(&["--config", &config, "validate"]);
        let text = format!("exit {}\n{}----\n{}", ran.code, ran.stdout, ran.stderr);
        snapshot(&format!("rules__{name}"), &text);
    }
}

/// A snapshot whose directory is gone would say nothing for ever.
#[test]
fn every_snapshot_has_its_fixture() {
    let with_prefix = |group: &str| {
        let prefix = format!("{group}__");
        situations(group).into_iter().map(move |name| format!("{prefix}{name}.snap"))
    };
    let groups = ["bad", "good", "import", "rules"];
    let expected: BTreeSet<_> = groups.into_iter().flat_map(with_prefix).collect();
    let is_of = |name: &str, group: &str| name.starts_with(&format!("{group}__"));
    let entries = fs::read_dir(repository().join("tests/snapshots")).unwrap();
    let found: BTreeSet<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| groups.iter().any(|group| is_of(name, group)))
        .collect();
    assert_eq!(found, expected);
}

/// What is in the migrations, where the plan does not show it.
fn read(dir: &str) -> String {
    let options = LoadOptions {
        dir: repository().join(dir),
        unlisted: Unlisted::Refuse,
        depth: Depth::Syntax,
        cache: None,
    };
    let graph = load(&options).unwrap().graph;
    let mut out = String::new();
    for node in graph.nodes() {
        let migration = graph.migration(node);
        let header = &migration.header;
        let exclusive: Vec<_> = graph.exclusive_with(node).iter().map(|it| graph.id(*it)).collect();
        let _ = writeln!(out, "{}", migration.id);
        let mut field = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(out, "  {name}: {value}");
            }
        };
        field("name", header.name.clone());
        field("description", header.description.clone());
        field("timestamp", header.timestamp.map(|it| it.to_string()));
        field("lock timeout", header.lock_timeout.map(|it| format!("{it:?}")));
        field("statement timeout", header.statement_timeout.map(|it| format!("{it:?}")));
        field("excludes", (!exclusive.is_empty()).then(|| format!("{exclusive:?}")));
        out += &script("up", migration, &migration.up);
        out +=
            &migration.down.as_ref().map_or(String::new(), |down| script("down", migration, down));
    }
    out
}

fn script(name: &str, migration: &Migration, script: &Script) -> String {
    let how = match &script.execution {
        Execution::Steps(_) => "step by step".to_owned(),
        Execution::Transaction { modes } if modes.is_empty() => "in a transaction".to_owned(),
        Execution::Transaction { modes } => format!("in a transaction, {modes}"),
    };
    let mut out = format!("  {name}, {how}, {}\n", script.checksum);
    for left_out in &script.left_out {
        let _ = writeln!(out, "    not sent: {:?}", migration.source.slice(*left_out));
    }
    match &script.execution {
        Execution::Transaction { .. } => out += &statements("    ", migration, &script.statements),
        Execution::Steps(steps) => {
            for step in steps {
                let _ = match step {
                    Step::Bare(_) => writeln!(out, "    on its own"),
                    Step::Segment(block) => writeln!(out, "    transaction {:?}", block.modes),
                };
                out += &statements("      ", migration, &script.statements[step.statements()]);
            }
        }
    }
    out
}

fn statements(indent: &str, migration: &Migration, statements: &[Statement]) -> String {
    let mut out = String::new();
    for statement in statements {
        let text = migration.source.slice(statement.span);
        let _ = match statement.kind {
            StatementKind::CopyIn { data } => {
                writeln!(out, "{indent}{text:?} with {:?}", migration.source.slice(data))
            }
            kind => writeln!(out, "{indent}{text:?} {kind:?}"),
        };
    }
    out
}

/// What the file system refuses or git cannot keep.
#[test]
fn awkward_files_are_said_too() {
    let long = |sql: String| format!("-- @dependencies: []\n{sql}\n").into_bytes();
    let nested = long(format!("SELECT {}1{};", "(".repeat(20_001), ")".repeat(20_001)));
    let operators = long(format!("SELECT {} true;", "NOT ".repeat(50_001)));
    let cases: [(&[u8], Vec<u8>, &[&str]); 4] = [
        (
            b"0001_nested.sql",
            nested,
            &["error[too-deep]: ", "0001_nested.sql:2:20008", "more than 20000 levels"],
        ),
        (b"0001_operators.sql", operators, &["error[too-deep]: ", "0001_operators.sql:2:"]),
        (
            b"0001_\xff.sql",
            long("SELECT 1;".to_owned()),
            &["error[invalid-id]: ", "rename the file"],
        ),
        (
            b"0001_new\nline.sql",
            long("SELECT 1;".to_owned()),
            &["error[invalid-id]: ", "rename the file"],
        ),
    ];
    for (name, bytes, expected) in cases {
        let dir = temporary_dir();
        fs::write(dir.path().join(std::ffi::OsStr::from_bytes(name)), bytes).unwrap();
        let ran = validate(dir.path().to_str().unwrap());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().last(), Some("1 error"), "{}", ran.stderr);
        for part in expected {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
    }
}

#[test]
fn the_mistake_in_a_file_of_ten_megabytes_is_placed() {
    let dir = temporary_dir();
    let rows: Vec<_> = (0..700_000).map(|n| format!("({n}, 'rôw')")).collect();
    let insert = format!("INSERT INTO t VALUES {};", rows.join(", "));
    let text = format!("-- @dependencies: []\n{insert} COMMIT;\n");
    assert!(text.len() > 10 << 20, "{}", text.len());
    fs::write(dir.path().join("0001_big.sql"), text).unwrap();
    let ran = migraph(&["--dir", dir.path().to_str().unwrap(), "plan", "--offline"]);
    let column = insert.chars().count() + 2;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&format!("0001_big.sql:2:{column}")), "{}", ran.stderr);
    assert!(ran.stderr.len() < 2_000, "only a part of the line is shown");
}

#[test]
fn a_file_that_may_not_be_read_is_said() {
    let dir = temporary_dir();
    let path = dir.path().join("0001_secret.sql");
    fs::write(&path, "-- @dependencies: []\nSELECT 1;\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    let mut program = command();
    if fs::read(&path).is_ok() {
        // Nothing is forbidden to root: somebody else must try.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let copy = dir.path().join("migraph");
        fs::copy(env!("CARGO_BIN_EXE_migraph"), &copy).unwrap();
        program = Command::new(copy);
        program.uid(65_534).env_clear().current_dir("/");
    }
    let ran = run(program.args(["--dir", dir.path().to_str().unwrap(), "validate"]));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("cannot read the file: permission denied"), "{}", ran.stderr);
}

/// Opening a named pipe to read it would wait for ever.
#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    let dir = temporary_dir();
    let pipe = dir.path().join("0001_pipe.sql");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let ran = validate(dir.path().to_str().unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("it is not a regular file"), "{}", ran.stderr);
}
