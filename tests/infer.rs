//! `infer`: what it writes, and patches that other programs take.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{command, migraph, run, temporary_dir};

const USERS: &str = "-- @dependencies: []\nCREATE TABLE users (id int PRIMARY KEY);\n";

const POSTS: &str = "-- @name: Posts\r\n-- @dependencies: [\r\n--   0000_schema\r\n-- ] (its schema)\r\nCREATE TABLE app.posts (\r\n    author int REFERENCES users);\r\n";

/// Three migrations of which the last one lacks a dependency.
fn migrations(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let schema = "-- @dependencies: []\nCREATE SCHEMA app;\n";
    for (id, text) in [("0000_schema", schema), ("0001_users", USERS), ("0002_posts", POSTS)] {
        fs::write(dir.join(format!("{id}.sql")), text).unwrap();
    }
}

fn completed() -> String {
    POSTS.replace("schema\r\n-- ]", "schema,\r\n--   0001_users\r\n-- ]")
}

#[test]
fn what_is_written_is_the_list_alone_and_once() {
    let dir = temporary_dir();
    migrations(dir.path());
    let args = ["--dir", dir.path().to_str().unwrap(), "infer", "--write"];
    for written in ["1 file written\n", "0 files written\n"] {
        let ran = migraph(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, written), "{ran:?}");
        assert_eq!(fs::read_to_string(dir.path().join("0002_posts.sql")).unwrap(), completed());
        assert_eq!(fs::read_to_string(dir.path().join("0001_users.sql")).unwrap(), USERS);
    }
}

#[test]
fn the_sum_counts_what_is_listed() {
    let dir = temporary_dir();
    for (id, on) in [("1", ""), ("2", "1"), ("3", "1, 2")] {
        let text = format!("-- @dependencies: [{on}]\nCREATE TABLE t{id} (id int);\n");
        fs::write(dir.path().join(format!("{id}.sql")), text).unwrap();
    }
    for keep in ["true", "false"] {
        let keep = format!("--keep-declared={keep}");
        let ran = migraph(&["--dir", dir.path().to_str().unwrap(), "infer", &keep]);
        assert_eq!(ran.stdout.matches("\n  - ").count(), 3, "{}", ran.stdout);
        assert!(ran.stdout.contains(" 3 only declared (-)"), "{}", ran.stdout);
    }
}

#[test]
fn ids_that_are_ordered_against_their_numbers_are_told_of() {
    let dir = temporary_dir();
    let sets = [
        ("9_a", "", "UPDATE t SET x = 1;"),
        ("10_b", "", "UPDATE t SET x = 2;"),
        ("08_c", "", "UPDATE u SET x = 1;"),
        ("09_d", "", "UPDATE u SET x = 2;"),
    ];
    let write = |(id, on, sql): (&str, &str, &str)| {
        let text = format!("-- @dependencies: [{on}]\n{sql}\n");
        fs::write(dir.path().join(format!("{id}.sql")), text).unwrap();
    };
    sets.into_iter().for_each(write);
    let args = ["--dir", dir.path().to_str().unwrap(), "infer"];
    let told = migraph(&args).stderr;
    assert!(told.contains("warning[assumed-order]: `9_a` is taken behind `10_b`"), "{told}");
    assert!(!told.contains("of the kind"), "{told}");
    write(("10_b", "9_a", "UPDATE t SET x = 2;"));
    let told = migraph(&args).stderr;
    assert!(!told.contains("assumed-order"), "{told}");
}

/// Lets a program read `patch` in `dir`.
fn feed(dir: &Path, program: &[&str], patch: &str) {
    let mut child = Command::new(program[0])
        .args(&program[1..])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(patch.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{program:?}: {patch}");
}

#[test]
fn a_patch_is_taken_whatever_the_path_is() {
    let programs = [&["patch", "-p0"][..], &["patch", "-p1"], &["git", "apply"]];
    for place in ["m", "my migrations/of \"x\"", "é\tb"] {
        for program in programs {
            let here = temporary_dir();
            let dir = here.path().join(place);
            migrations(&dir);
            let absolute = dir.to_str().unwrap();
            let upwards = format!("../{}/{place}", name_of(here.path()));
            for named in [place, &format!("./{place}"), absolute, &upwards] {
                migrations(&dir);
                let args = ["--dir", named, "infer", "--diff"];
                let ran = run(command().current_dir(here.path()).args(args));
                assert_eq!(ran.code, 0, "{ran:?}");
                feed(here.path(), program, &ran.stdout);
                let posts = fs::read_to_string(dir.join("0002_posts.sql")).unwrap();
                assert_eq!(posts, completed(), "{program:?} {named}");
            }
        }
    }
}

#[test]
fn a_patch_for_another_directory_is_taken_in_the_root() {
    let (here, there) = (temporary_dir(), temporary_dir());
    migrations(there.path());
    let args = ["--dir", there.path().to_str().unwrap(), "infer", "--diff"];
    let ran = run(command().current_dir(here.path()).args(args));
    feed(Path::new("/"), &["patch", "-p1"], &ran.stdout);
    assert_eq!(fs::read_to_string(there.path().join("0002_posts.sql")).unwrap(), completed());
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
