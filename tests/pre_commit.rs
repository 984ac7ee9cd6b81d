//! The hooks of `.pre-commit-hooks.yaml`, run by pre-commit itself in a repository
//! that is thrown away.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ran, path_with_migraph, repository, run, temporary_dir, tool};
use tempfile::TempDir;

const CUSTOMERS: &str = "-- @dependencies: []\nCREATE TABLE customers (id int PRIMARY KEY);\n";
const ORDERS: &str =
    "-- @dependencies: [0001_customers]\nCREATE TABLE orders (id int REFERENCES customers);\n";

/// Two repositories: that of the hooks, and a project that uses them.
struct Project {
    home: TempDir,
}

impl Project {
    /// A project with the hook `id` and two good migrations, not committed yet.
    fn with_hook(id: &str) -> Self {
        let project = Self { home: temporary_dir() };
        let hooks = project.home.path().join("hooks");
        fs::create_dir(&hooks).unwrap();
        fs::copy(repository().join(".pre-commit-hooks.yaml"), hooks.join(".pre-commit-hooks.yaml"))
            .unwrap();
        project.git_in(&hooks, &["init", "-q"]);
        project.git_in(&hooks, &["add", "."]);
        project.git_in(&hooks, &["commit", "-qm", "hooks"]);
        let rev = project.git_in(&hooks, &["rev-parse", "HEAD"]).stdout;
        fs::create_dir_all(project.dir().join("migrations")).unwrap();
        project.git(&["init", "-q"]);
        let config = format!(
            "repos:\n- repo: {}\n  rev: {}\n  hooks:\n  - id: {id}\n",
            hooks.display(),
            rev.trim()
        );
        fs::write(project.dir().join(".pre-commit-config.yaml"), config).unwrap();
        project.write("0001_customers", CUSTOMERS);
        project.write("0002_orders", ORDERS);
        project.git(&["add", "."]);
        project
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("project")
    }

    fn write(&self, id: &str, text: &str) {
        fs::write(self.dir().join(format!("migrations/{id}.sql")), text).unwrap();
    }

    /// `program` as in a fresh account: nothing set, migraph installed, no network.
    fn command(&self, program: impl Into<OsString>, dir: &Path) -> Command {
        let mut command = Command::new(program.into());
        let nowhere = ["http_proxy", "https_proxy"].map(|name| (name, "http://127.0.0.1:1"));
        let person =
            ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
        command
            .current_dir(dir)
            .env_clear()
            .env("PATH", path_with_migraph())
            .env("HOME", self.home.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(person.map(|name| (name, "ada@example.org")))
            .envs(nowhere);
        command
    }

    fn git_in(&self, dir: &Path, args: &[&str]) -> Ran {
        let ran = run(self.command("git", dir).args(args));
        assert_eq!(ran.code, 0, "git {args:?}: {}{}", ran.stdout, ran.stderr);
        ran
    }

    fn git(&self, args: &[&str]) -> Ran {
        self.git_in(&self.dir(), args)
    }

    /// What the user sees of `git commit`, and whether there is a commit.
    fn commit(&self) -> (bool, String) {
        let ran = run(self.command("git", &self.dir()).args(["commit", "-m", "change"]));
        (ran.code == 0, ran.stdout + &ran.stderr)
    }

    fn pre_commit(&self, args: &[&str]) -> Ran {
        run(self.command(tool("pre-commit"), &self.dir()).args(args))
    }
}

#[test]
fn a_commit_that_breaks_another_file_is_refused() {
    let project = Project::with_hook("migraph-validate-system");
    let installed = project.pre_commit(&["install"]);
    assert_eq!(installed.code, 0, "{}", installed.stderr);
    let (done, said) = project.commit();
    assert!(done && said.contains("Passed"), "{said}");

    // The file that is committed is good; the one that depends on its old name is not.
    project.git(&["mv", "migrations/0001_customers.sql", "migrations/0001_people.sql"]);
    let (done, said) = project.commit();
    assert!(!done && said.contains("- exit code: 1"), "{said}");
    let finding = "error[unknown-dependency]: there is no migration `0001_customers`";
    assert!(said.contains(finding), "{said}");
    assert!(said.contains("--> migrations/0002_orders.sql:1:20"), "{said}");

    project.write("0002_orders", &ORDERS.replace("0001_customers", "0001_people"));
    project.git(&["add", "."]);
    let (done, said) = project.commit();
    assert!(done, "{said}");

    // pre-commit gives a hook no deleted files.
    project.git(&["rm", "-q", "migrations/0001_people.sql"]);
    let (done, said) = project.commit();
    assert!(!done && said.contains("there is no migration `0001_people`"), "{said}");
}

#[test]
fn only_what_is_staged_counts() {
    let project = Project::with_hook("migraph-validate-system");
    project.write("0002_orders", "-- @dependencies: [0009_nowhere]\nSELECT 1;\n");
    let ran = project.pre_commit(&["run"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    project.git(&["add", "."]);
    let ran = project.pre_commit(&["run", "--all-files"]);
    assert!(ran.code == 1 && ran.stdout.contains("`0009_nowhere`"), "{}", ran.stdout);
}

#[test]
fn the_hooks_are_good_ones() {
    let hooks = repository().join(".pre-commit-hooks.yaml");
    let checked = Command::new(tool("pre-commit")).arg("validate-manifest").arg(&hooks).output();
    let checked = checked.unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
