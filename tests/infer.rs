//! `infer`: what it writes.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::fs;
use std::path::Path;

use common::{migraph, temporary_dir};

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
