//! `validate --base`, in repositories of git's.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ran, command, run, temporary_dir};
use tempfile::TempDir;

/// A repository with two branches, `main` and `topic`, which is checked out last.
struct Branches {
    dir: TempDir,
}

impl Branches {
    /// Both branches begin with two tables.
    fn new() -> Self {
        let branches = Self { dir: temporary_dir() };
        fs::create_dir_all(branches.path("db/migrations")).unwrap();
        branches.git(&["init", "-q", "-b", "main", "."]);
        branches.write(
            "db/migrations/0001_users",
            "[]",
            "CREATE TABLE users (id bigint, name text);",
        );
        branches.write("db/migrations/0002_log", "[]", "CREATE TABLE log (at timestamptz);");
        branches.commit();
        branches.git(&["branch", "topic"]);
        branches
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn git(&self, args: &[&str]) {
        git(self.dir.path(), args);
    }

    fn write(&self, path: &str, dependencies: &str, sql: &str) {
        let text = format!("-- @dependencies: {dependencies}\n{sql}\n");
        fs::write(self.path(&format!("{path}.sql")), text).unwrap();
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "x"]);
    }

    /// Commits what `change` does on `branch`, and goes back to `topic`.
    fn on(&self, branch: &str, change: impl FnOnce(&Self)) {
        self.git(&["checkout", "-q", branch]);
        change(self);
        self.commit();
        self.git(&["checkout", "-q", "topic"]);
    }

    fn validate(&self, args: &[&str]) -> Ran {
        let args = [&["--dir", "db/migrations", "validate", "--format", "gcc"], args].concat();
        run(command().current_dir(self.dir.path()).args(args))
    }
}

fn git(dir: &Path, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.org"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

const BASE: [&str; 2] = ["--base", "main"];

#[test]
fn two_branches_that_are_each_fine_are_laid_together() {
    let branches = Branches::new();
    branches.on("main", |it| {
        it.write(
            "db/migrations/0003_rename",
            "[0001_users]",
            "ALTER TABLE users RENAME name TO title;",
        );
    });
    branches.on("topic", |it| {
        it.write(
            "db/migrations/0003_view",
            "[0001_users]",
            "CREATE VIEW v AS SELECT name FROM users;",
        );
    });
    assert_eq!(branches.validate(&[]).code, 0);
    let ran = branches.validate(&BASE);
    assert_eq!(ran.code, 1);
    let first = ran.stdout.lines().next().unwrap();
    assert!(first.starts_with("db/migrations/0003_view.sql:2:25: error: once `main` is merged: `0003_rename` takes away column public.users.name, which `0003_view` uses, and does not depend on it"), "{first}");
    assert!(
        ran.stdout.contains("main:db/migrations/0003_rename.sql:2:19: note: taken away here"),
        "{}",
        ran.stdout
    );
    // Merged, with the dependency that was asked for, it is fine.
    branches.git(&["merge", "-q", "-m", "x", "main"]);
    branches.write(
        "db/migrations/0003_view",
        "[0003_rename]",
        "CREATE VIEW v AS SELECT title FROM users;",
    );
    assert_eq!(branches.validate(&BASE).stdout, "");
}

#[test]
fn what_does_not_touch_the_same_is_nobodys_concern() {
    let branches = Branches::new();
    let none = branches.validate(&BASE);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "no branch has anything new");
    branches.on("main", |it| {
        it.write("db/migrations/0003_a", "[0001_users]", "ALTER TABLE users ADD a int;");
        fs::remove_file(it.path("db/migrations/0002_log.sql")).unwrap();
    });
    branches.on("topic", |it| {
        it.write("db/migrations/0003_b", "[0001_users]", "ALTER TABLE users ADD b int;");
    });
    let ran = branches.validate(&BASE);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
}

#[test]
fn one_id_on_both_branches_is_told_unless_it_is_the_same_file() {
    let branches = Branches::new();
    let text = "SELECT 1;\nSELECT 2;";
    for branch in ["main", "topic"] {
        branches.on(branch, |it| {
            it.write("db/migrations/0003_same", "[]", text);
            it.write("db/migrations/0004_other", "[]", &format!("SELECT '{branch}';"));
        });
    }
    branches.write("db/migrations/0003_same", "[]", &text.replace('\n', "\r\n"));
    let ran = branches.validate(&BASE);
    assert_eq!(ran.stdout.matches(" error: ").count(), 1, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("`main` has another `0004_other` [branch-conflict]"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_the_other_branch_renames_is_missed() {
    let branches = Branches::new();
    branches.on("main", |it| {
        it.git(&["mv", "db/migrations/0002_log.sql", "db/migrations/0002_journal.sql"]);
    });
    branches.on("topic", |it| {
        it.write("db/migrations/0003_a", "[0002_log]", "ALTER TABLE log ADD a int;");
    });
    let ran = branches.validate(&BASE);
    assert!(
        ran.stdout.contains("once `main` is merged: there is no migration `0002_log`"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("`main` has renamed or removed `0002_log`"), "{}", ran.stdout);
}

#[test]
fn what_this_branch_renames_or_removes_is_missed_by_the_other() {
    let changes: [&[&str]; 2] = [
        &["mv", "db/migrations/0002_log.sql", "db/migrations/0002_journal.sql"],
        &["rm", "-q", "db/migrations/0002_log.sql"],
    ];
    for change in changes {
        let branches = Branches::new();
        branches.on("main", |it| {
            it.write("db/migrations/0003_a", "[0002_log]", "ALTER TABLE log ADD a int;");
        });
        branches.on("topic", |it| it.git(change));
        assert_eq!(branches.validate(&[]).code, 0);
        let ran = branches.validate(&BASE);
        assert_eq!(ran.code, 1, "{ran:?}");
        let expected = "main:db/migrations/0003_a.sql:1:20: error: once `main` is merged: there is no migration `0002_log` [branch-conflict]";
        assert!(ran.stdout.contains(expected), "{}", ran.stdout);
        assert!(
            ran.stdout.contains("this branch has renamed or removed `0002_log`"),
            "{}",
            ran.stdout
        );
    }
    let branches = Branches::new();
    let gone = |it: &Branches| it.git(&["rm", "-q", "db/migrations/0002_log.sql"]);
    branches.on("topic", gone);
    branches.on("main", |it| {
        gone(it);
        it.write("db/migrations/0003_a", "[0002_log]", "SELECT 1;");
    });
    let ran = branches.validate(&BASE);
    assert_eq!(ran.code, 0, "both have removed it: {ran:?}");
}

#[test]
fn migrations_may_lie_at_the_root_of_the_repository() {
    let branches = Branches::new();
    branches.on("main", |it| it.write("0003_a", "[]", "ALTER TABLE users RENAME name TO title;"));
    branches.on("topic", |it| it.write("0004_b", "[]", "ALTER TABLE users DROP name;"));
    let args = ["--dir", ".", "validate", "--format", "gcc", "--base", "main"];
    let ran = run(command().current_dir(branches.dir.path()).args(args));
    assert!(ran.stdout.contains("main:./0003_a.sql:2:19: note: "), "{ran:?}");
}

#[test]
fn a_directory_that_has_moved_is_found() {
    let branches = Branches::new();
    branches.on("main", |it| {
        it.git(&["mv", "db/migrations", "sql"]);
        it.write("sql/0003_drop", "[0001_users]", "DROP TABLE users;");
    });
    branches.on("topic", |it| {
        it.write("db/migrations/0003_add", "[0001_users]", "ALTER TABLE users ADD a int;");
    });
    let ran = branches.validate(&BASE);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("main:sql/0003_drop.sql:2:12: note"), "{}", ran.stdout);
}

#[test]
fn errors_of_the_other_branch_are_not_ours() {
    let branches = Branches::new();
    branches.on("main", |it| it.write("db/migrations/0003_bad", "[]", "SELEC 1;"));
    let ran = branches.validate(&BASE);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stdout.contains("warning: once `main` is merged: its own migrations have errors"),
        "{}",
        ran.stdout
    );
}

#[test]
fn rules_about_safety_hold_for_what_is_new() {
    let branches = Branches::new();
    fs::write(branches.path("migraph.toml"), "[rules]\npreset = \"production\"").unwrap();
    branches.on("topic", |it| {
        it.write("db/migrations/0003_drop", "[0002_log]", "DROP TABLE IF EXISTS log;");
    });
    assert!(branches.validate(&[]).stdout.contains("0001_users.sql"));
    let new = branches.validate(&BASE).stdout;
    assert!(new.contains("0003_drop.sql") && !new.contains("0001_users.sql"), "{new}");
}

#[test]
fn what_git_cannot_tell_is_said() {
    let branches = Branches::new();
    let cases = [
        (vec!["--base", "nowhere"], "git knows no commit `nowhere`"),
        (vec!["--base=--all"], "git knows no commit `--all`"),
        (vec!["--base", ""], "name a branch, a tag or a commit, such as `origin/main`"),
    ];
    for (args, expected) in cases {
        let ran = branches.validate(&args);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stdout.contains(expected), "{ran:?}");
    }
    branches.on("main", |it| it.write("db/migrations/0003_a", "[]", "SELECT 1;"));
    branches.on("topic", |it| it.write("db/migrations/0003_b", "[]", "SELECT 1;"));

    let shallow = temporary_dir();
    let url = format!("file://{}", branches.dir.path().display());
    git(shallow.path(), &["clone", "-q", "--depth", "1", "--no-single-branch", &url, "."]);
    let validate = |dir: &Path, base: &str, path: Option<&str>| {
        let mut command = command();
        path.map(|path| command.env("PATH", path));
        let args = ["--dir", "db/migrations", "validate", "--base", base];
        run(command.current_dir(dir).args(args))
    };
    let ran = validate(shallow.path(), "origin/main", None);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("no common commit in this shallow clone"), "{}", ran.stderr);
    assert!(ran.stderr.contains("git fetch --unshallow"), "{}", ran.stderr);

    let ran = validate(branches.dir.path(), "main", Some("/nonexistent"));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("cannot run `git`"), "{}", ran.stderr);

    let outside = temporary_dir();
    fs::create_dir_all(outside.path().join("db")).unwrap();
    fs::rename(branches.path("db/migrations"), outside.path().join("db/migrations")).unwrap();
    let ran = validate(outside.path(), "main", None);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("is in no git repository"), "{}", ran.stderr);
    git(outside.path(), &["init", "-q", "."]);
    let ran = validate(outside.path(), "main", None);
    assert!(ran.stderr.contains("nothing is committed on this branch yet"), "{}", ran.stderr);
}
