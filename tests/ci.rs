//! The examples of `docs/ci.md`: their form, and their shell lines.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, path_with_migraph, repository, run, temporary_dir, tool};
use serde_json::Value;

/// The steps of an example that install migraph: here it is built already, and
/// nothing may be asked of the network.
const INSTALL: [&str; 5] = [
    "cargo install --locked --path .migraph",
    "apt-get update",
    "apt-get install -y --no-install-recommends postgresql",
    "git clone --depth 1 --branch v0.1.0 https://example.org/OWNER/migraph .migraph",
    "cargo install --locked --path .migraph",
];

/// The YAML below a heading of the page.
fn example(heading: &str) -> String {
    let page = fs::read_to_string(repository().join("docs/ci.md")).unwrap();
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// The same as a value, read by PyYAML, which pre-commit brings.
fn parsed(yaml: &str) -> Value {
    let dir = temporary_dir();
    let file = dir.path().join("example.yml");
    fs::write(&file, yaml).unwrap();
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let read = Command::new(tool("python")).args(["-c", script]).arg(file).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// What the steps of the workflow run.
fn github() -> Vec<String> {
    let workflow = parsed(&example("GitHub Actions"));
    let steps = workflow["jobs"]["migrations"]["steps"].as_array().unwrap().iter();
    steps.filter_map(|step| Some(step.get("run")?.as_str().unwrap().to_owned())).collect()
}

/// What the job runs.
fn gitlab() -> Vec<String> {
    let job = &parsed(&example("GitLab CI"))["migrations"];
    [texts(&job["before_script"]), texts(&job["script"])].concat()
}

#[test]
fn the_shell_lines_do_what_they_say() {
    let (own, install): (Vec<_>, Vec<_>) = [github(), gitlab()]
        .concat()
        .into_iter()
        .partition(|line| !INSTALL.contains(&line.as_str()));
    assert_eq!(install, INSTALL);
    assert_eq!(own.len(), 7, "{own:?}");
    let dir = temporary_dir();
    copy_sample(dir.path());
    for line in own {
        shell(dir.path(), &line, 0);
    }
    let written = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let log: Value = serde_json::from_str(&written("migraph.sarif")).unwrap();
    assert_eq!(log["runs"][0]["results"], Value::Array(vec![]));
    let report = written("migraph.xml");
    let report = roxmltree::Document::parse(&report).unwrap();
    assert_eq!(report.root_element().attribute("tests"), Some("70"));
}

fn copy_sample(dir: &Path) {
    fs::create_dir(dir.join("migrations")).unwrap();
    for entry in fs::read_dir(repository().join("migrations")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.join("migrations").join(entry.file_name())).unwrap();
    }
}

/// Runs `line` as CI does, with migraph installed; it must succeed, or fail as told.
fn shell(dir: &Path, line: &str, code: i32) -> Ran {
    let mut bash = Command::new("bash");
    bash.args(["-eo", "pipefail", "-c", line]).current_dir(dir).stdin(Stdio::null());
    let ran = run(bash.env_clear().env("PATH", path_with_migraph()));
    assert_eq!(ran.code, code, "{line}: {}{}", ran.stdout, ran.stderr);
    ran
}

#[test]
fn a_check_that_fails_leaves_its_report() {
    let dir = temporary_dir();
    copy_sample(dir.path());
    fs::remove_file(dir.path().join("migrations/0012_audit_log.sql")).unwrap();
    let [annotate, scan] = ["github", "sarif"].map(|format| {
        let lines = github().into_iter();
        lines.filter(|line| line.contains(&format!("--format {format}"))).collect::<String>()
    });
    let said = shell(dir.path(), &annotate, 1).stdout;
    assert!(said.starts_with("::error file=migrations/"), "{said}");
    shell(dir.path(), &scan, 1);
    let log = fs::read_to_string(dir.path().join("migraph.sarif")).unwrap();
    assert!(log.contains("\"ruleId\": \"unknown-dependency\""), "{log}");
    let report = gitlab().into_iter().find(|line| line.contains("--format junit")).unwrap();
    let said = shell(dir.path(), &report, 1).stderr;
    assert!(said.contains("error[unknown-dependency]"), "{said}");
    let xml = fs::read_to_string(dir.path().join("migraph.xml")).unwrap();
    assert!(roxmltree::Document::parse(&xml).is_ok() && xml.contains("<failure "), "{xml}");
}

#[test]
fn the_examples_have_the_form_that_their_readers_want() {
    let dir = temporary_dir();
    let write = |heading: &str| {
        let file = dir.path().join(heading.replace(' ', "-") + ".yml");
        fs::write(&file, example(heading)).unwrap();
        file
    };
    let check = |program: &str, args: &[&str], heading: &str| {
        let checked = Command::new(tool(program)).args(args).arg(write(heading)).output().unwrap();
        assert!(checked.status.success(), "{heading}: {checked:?}");
    };
    for (schema, heading) in
        [("vendor.github-workflows", "GitHub Actions"), ("vendor.gitlab-ci", "GitLab CI")]
    {
        check("check-jsonschema", &["--builtin-schema", schema], heading);
    }
    check("pre-commit", &["validate-config"], "pre-commit");
}
