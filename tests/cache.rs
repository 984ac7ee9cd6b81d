//! What is kept between runs, from outside: it may change how long a run takes, and
//! nothing else.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use common::{Ran, command, repository, run, temporary_dir};
use migraph::cache::{Cache, Caches, MIN_FILES};
use migraph::parse::{Depth, Memory as _, NoMemory, Purpose, parse_with};
use migraph::sql::read;
use migraph::syntax::{on_large_stack, parse};

/// A chain of `count` migrations.
fn directory(dir: &Path, count: usize) {
    for number in 0..count {
        let before = number.checked_sub(1).map_or(String::new(), |it| format!("{it:04}_t"));
        let text = format!(
            "-- @dependencies: [{before}]\n-- UP MIGRATION\nCREATE TABLE t{number} (id int);\n\
             -- DOWN MIGRATION\nDROP TABLE t{number};\n"
        );
        fs::write(dir.join(format!("{number:04}_t.sql")), text).unwrap();
    }
}

/// What a run says of `dir`, with its cache in `home`.
fn said(home: &Path, dir: &Path, args: &[&str]) -> Ran {
    run(command().env("HOME", home).arg("--offline").arg("--dir").arg(dir).args(args))
}

fn kept(home: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(home.join(".cache/migraph/readings")).into_iter().flatten();
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn a_second_run_says_the_same_and_sees_what_was_changed() {
    let (home, dir) = (temporary_dir(), temporary_dir());
    let (home, dir) = (home.path(), dir.path());
    directory(dir, MIN_FILES);
    let verbs: [&[&str]; 3] = [
        &["validate", "--format", "json", "--verbose"],
        &["infer", "--format", "json"],
        &["plan", "--format", "json"],
    ];
    let check = || {
        for verb in verbs {
            let anew = said(home, dir, &[verb, &["--no-cache"]].concat());
            for _ in 0..2 {
                let again = said(home, dir, verb);
                assert_eq!(
                    (again.code, again.stdout),
                    (anew.code, anew.stdout.clone()),
                    "{verb:?}"
                );
            }
        }
    };
    check();
    assert_eq!(kept(home).len(), 1);
    let changed = dir.join("0007_t.sql");
    let text = fs::read_to_string(&changed).unwrap();
    for (old, new, code) in [
        ("id int", "id int REFERENCES t150", "undeclared-dependency"),
        ("CREATE TABLE t7", "CREATE TABEL t7", "syntax"),
        ("DROP TABLE t7", "DROP TABEL t7", "syntax"),
        ("id int", "id int, note text", ""),
    ] {
        fs::write(&changed, text.replacen(old, new, 1)).unwrap();
        check();
        let found = said(home, dir, &["validate", "--format", "json"]).document();
        assert_eq!(found["ok"], code.is_empty(), "{found}");
        assert!(found.to_string().contains(code), "{found}");
    }
}

#[test]
fn nothing_is_kept_of_few_files_or_when_it_is_not_wanted_or_for_what_changes_a_database() {
    let (home, few, many) = (temporary_dir(), temporary_dir(), temporary_dir());
    directory(few.path(), MIN_FILES - 1);
    directory(many.path(), MIN_FILES);
    said(home.path(), few.path(), &["validate"]);
    said(home.path(), many.path(), &["validate", "--no-cache"]);
    said(home.path(), many.path(), &["plan", "--trust-declared"]);
    said(home.path(), many.path(), &["up", "--dry-run"]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn where_nothing_can_be_kept_nothing_is_said_of_it() {
    let (home, dir) = (temporary_dir(), temporary_dir());
    directory(dir.path(), MIN_FILES);
    fs::write(home.path().join(".cache"), "a file, and no directory").unwrap();
    let ran = said(home.path(), dir.path(), &["validate"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains("cache"), "{}", ran.stderr);
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let (home, dir) = (temporary_dir(), temporary_dir());
    directory(dir.path(), MIN_FILES);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(said(home.path(), dir.path(), &["validate"]).code, 0));
        }
    });
    assert_eq!(kept(home.path()).len(), 1);
}

/// The cache directory of the user who runs the tests.
fn caches(dir: &Path) -> Caches {
    Caches { dir: dir.to_owned(), owner: fs::metadata(dir).unwrap().uid() }
}

/// Everything that can be read can be kept.
#[test]
fn what_is_recalled_of_any_script_is_what_was_read() {
    let home = temporary_dir();
    let sets = fs::read_to_string(repository().join("tests/soundness/sets.json")).unwrap();
    let sets: serde_json::Value = serde_json::from_str(&sets).unwrap();
    let scripts: Vec<&str> = (sets.as_array().unwrap().iter())
        .flat_map(|set| set["scripts"].as_array().unwrap().iter())
        .map(|script| script.as_str().unwrap())
        .collect();
    assert!(scripts.len() > 3_000, "{}", scripts.len());
    let cache = || Cache::of(home.path(), &caches(home.path())).unwrap();
    let read = |script: &str| on_large_stack(|| parse(script).map(|tree| read(&tree)).unwrap());
    let written = cache();
    scripts.iter().for_each(|it| written.remember(it, Purpose::Meaning, &read(it)));
    written.save().unwrap();
    let reread = cache();
    for script in scripts {
        let recalled = reread.recall(script, Purpose::Meaning).unwrap();
        assert_eq!(format!("{recalled:?}"), format!("{:?}", read(script)), "{script}");
    }
}

/// A script of which the server is the judge may hold what the parser does not know, and
/// a broken one is never remembered.
#[test]
fn only_valid_scripts_are_remembered() {
    let home = temporary_dir();
    let cache = Cache::of(home.path(), &caches(home.path())).unwrap();
    for (text, is_kept) in [
        ("-- @dependencies: []\n-- @transaction: always\nSELECT 1;", false),
        ("-- @dependencies: []\nSELEKT 1;", false),
        ("-- @dependencies: []\nSELECT 1;", true),
    ] {
        let parsed = |memory: &dyn migraph::parse::Memory| {
            let bytes = text.as_bytes().to_vec();
            let file = on_large_stack(|| parse_with("1.sql".into(), bytes, Depth::Meaning, memory));
            format!("{:?} {:?}", file.readings, file.diagnostics)
        };
        assert_eq!(parsed(&cache), parsed(&NoMemory));
        assert_eq!(parsed(&cache), parsed(&NoMemory));
        assert_eq!(!cache_is_empty(&cache), is_kept, "{text}");
    }
}

fn cache_is_empty(cache: &Cache) -> bool {
    format!("{cache:?}").contains("used: Mutex { data: {}")
}
