//! The forms of `validate` that other programs read, by those programs' rules.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Ran, command, migraph, repository, run, temporary_dir, test_tools, tool};
use serde_json::Value;

const FORMATS: [&str; 5] = ["json", "gcc", "github", "sarif", "junit"];

fn validate(dir: &str, format: &str) -> Ran {
    migraph(&["--dir", dir, "validate", "--format", format])
}

/// The one run of a SARIF log.
fn sarif_run(ran: &Ran) -> Value {
    let log: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&log["version"], log["runs"].as_array().unwrap().len()), (&"2.1.0".into(), 1));
    log["runs"][0].clone()
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

/// What a document says, as far as all of them can: how often each code is told.
fn codes(format: &str, ran: &Ran) -> BTreeMap<String, usize> {
    let own = |codes: Vec<String>| {
        let mut found = BTreeMap::new();
        codes.into_iter().for_each(|code| *found.entry(code).or_default() += 1);
        found
    };
    let fields = |list: &Value, pointer: &str| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|one| one.pointer(pointer).unwrap().as_str().unwrap().to_owned()).collect()
    };
    let between = |line: &str, start: &str, end: &str| {
        line.split(start).nth(1).unwrap().split(end).next().unwrap().to_owned()
    };
    own(match format {
        "json" => {
            let document = ran.document();
            [fields(&document["errors"], "/code"), fields(&document["warnings"], "/code")].concat()
        }
        "sarif" => {
            let run = sarif_run(ran);
            let notes = &run["invocations"][0]["toolExecutionNotifications"];
            [fields(&run["results"], "/ruleId"), fields(notes, "/descriptor/id")].concat()
        }
        "gcc" => {
            let is_head = |line: &&str| line.contains(": error: ") || line.contains(": warning: ");
            let code =
                |line: &str| line.rsplit('[').next().unwrap().trim_end_matches(']').to_owned();
            ran.stdout.lines().filter(is_head).map(code).collect()
        }
        "github" => ran.stdout.lines().map(|line| between(line, "title=", "::")).collect(),
        _ => {
            let document = roxmltree::Document::parse(&ran.stdout).unwrap();
            let is_said = |node: &roxmltree::Node<'_, '_>| {
                ["failure", "error", "system-out"].iter().any(|name| node.has_tag_name(*name))
            };
            let said = document.descendants().filter(is_said).filter_map(|node| node.text());
            let text: String = said.collect();
            let heads = text
                .lines()
                .filter(|line| line.starts_with("error[") || line.starts_with("warning["));
            heads.map(|line| between(line, "[", "]")).collect()
        }
    })
}

#[test]
fn all_forms_say_the_same() {
    let mut directories: Vec<_> = ["bad", "good"]
        .iter()
        .flat_map(|group| fs::read_dir(repository().join("fixtures").join(group)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    directories.sort();
    let logs = temporary_dir();
    for directory in directories {
        let dir = directory.strip_prefix(repository()).unwrap().to_str().unwrap();
        let json = validate(dir, "json");
        let expected = codes("json", &json);
        for format in FORMATS {
            let ran = validate(dir, format);
            assert_eq!((ran.code, ran.stderr.as_str()), (json.code, ""), "{dir} {format}");
            assert_eq!(codes(format, &ran), expected, "{dir} {format}: {}", ran.stdout);
            if format == "sarif" {
                let log = logs.path().join(dir.replace('/', "_"));
                fs::write(log.with_extension("sarif"), &ran.stdout).unwrap();
            }
        }
    }
    assert_schema(logs.path());
}

/// Holds every file in `logs` against the schema of SARIF.
fn assert_schema(logs: &Path) {
    let logs = fs::read_dir(logs).unwrap().map(|entry| entry.unwrap().path());
    let checked = Command::new(tool("check-jsonschema"))
        // A pattern in it is none of ECMAScript: the erratum is known.
        .args(["--regex-variant", "python"])
        .arg("--schemafile")
        .arg(test_tools().join("sarif-schema-2.1.0.json"))
        .args(logs)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn each_is_one_whole_document_whatever_happens() {
    let empty = temporary_dir();
    let locked = temporary_dir();
    fs::write(locked.path().join("migraph.toml"), "no toml").unwrap();
    let nothing = empty.path().to_str().unwrap();
    let broken = locked.path().join("migraph.toml");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--dir", "nowhere", "validate"], 1, "unreadable-file"),
        (&["--dir", "Cargo.toml", "validate"], 1, "unreadable-file"),
        (&["--dir", nothing, "validate"], 1, "unreadable-file"),
        (&["--dir", "fixtures/bad/link_loop", "validate"], 1, "unreadable-file"),
        (&["validate", "--nonsense"], 2, "usage"),
        (&["frobnicate"], 2, "usage"),
        (&["--dir", "fixtures/good/plain", "validate", "Cargo.toml"], 2, "no-such-file"),
        (&["--config", broken.to_str().unwrap(), "validate"], 2, "configuration"),
    ];
    let logs = temporary_dir();
    for (at, (args, code, expected)) in cases.into_iter().enumerate() {
        for format in FORMATS {
            let ran = migraph(&[args, &["--format", format]].concat());
            assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{args:?} {format}");
            let found = codes(format, &ran);
            assert!(found.keys().eq([expected]), "{args:?} {format}: {}", ran.stdout);
            match format {
                "sarif" => {
                    let done = &sarif_run(&ran)["invocations"][0]["executionSuccessful"];
                    assert_eq!(done, &Value::Bool(false), "{args:?}");
                    fs::write(logs.path().join(format!("{at}.sarif")), &ran.stdout).unwrap();
                }
                "junit" => {
                    let kind = if code == 1 { "<failure " } else { "<error " };
                    assert!(ran.stdout.contains(kind), "{args:?}: {}", ran.stdout);
                }
                _ => {}
            }
        }
    }
    assert_schema(logs.path());
}

#[test]
fn the_form_of_an_error_may_stand_in_the_environment_too() {
    let mut with_variable = command();
    let ran = run(with_variable.env("MIGRAPH_FORMAT", "sarif").args(["validate", "--nonsense"]));
    assert_eq!(ran.code, 2);
    assert!(codes("sarif", &ran).contains_key("usage"));
}

#[test]
fn a_form_of_one_verb_in_the_environment_or_the_file_is_not_anothers() {
    let dir = temporary_dir();
    fs::write(dir.path().join("0001_a.sql"), "-- @dependencies: []\nSELECT 1;\n").unwrap();
    let file = |format: &str| {
        let text = format!("dir = \".\"\nformat = \"{format}\"\n");
        fs::write(dir.path().join("migraph.toml"), text).unwrap();
    };
    let here = |args: &[&str]| {
        let mut command = command();
        command.current_dir(dir.path()).args(args);
        command
    };
    for format in ["gcc", "github", "sarif", "junit", "dot"] {
        file("text");
        for args in [&["infer"][..], &["up", "--dry-run", "--offline"], &["plan", "--offline"]] {
            let plain = run(&mut here(args));
            let ran = run(here(args).env("MIGRAPH_FORMAT", format));
            if (args[0], format) == ("plan", "dot") {
                assert!(ran.stdout.starts_with("digraph"), "{ran:?}");
                continue;
            }
            assert_eq!((ran.code, &ran.stdout), (plain.code, &plain.stdout), "{args:?} {format}");
            file(format);
            assert_eq!(run(&mut here(args)).stdout, plain.stdout, "{args:?} {format}");
            file("json");
            run(here(args).env("MIGRAPH_FORMAT", format)).document();
            file("text");
        }
        let ran = run(here(&["up", "--nonsense"]).env("MIGRAPH_FORMAT", format));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{format}");
        assert_eq!(migraph(&["up", "--dry-run", "--format", format]).code, 2);
    }
    let ran = run(here(&["infer"]).env("MIGRAPH_FORMAT", "nonsense"));
    assert!(ran.code == 2 && ran.stderr.contains("MIGRAPH_FORMAT"), "{ran:?}");
}

#[test]
fn warnings_fail_only_when_they_are_to() {
    let dir = ["--dir", "fixtures/good/unknown_key", "validate", "--format"];
    for format in FORMATS {
        let args = [&dir[..], &[format]].concat();
        let (plain, strict) = (migraph(&args), migraph(&[&args[..], &["--strict"]].concat()));
        assert_eq!((plain.code, strict.code), (0, 1), "{format}");
        assert_eq!(codes(format, &plain), codes(format, &strict), "{format}");
    }
    let levels = |format| migraph(&[&dir[..], &[format]].concat()).stdout;
    assert_eq!(levels("github").matches("::warning file=").count(), 2);
    assert_eq!(levels("gcc").matches(": warning: ").count(), 2);
    assert_eq!(levels("sarif").matches("\"level\": \"warning\"").count(), 2);
    assert!(levels("junit").contains("failures=\"0\"") && levels("junit").contains("<system-out>"));
}

#[test]
fn only_the_files_that_were_named_are_cases() {
    let file = "fixtures/bad/unknown_dependency/0001_users.sql";
    let dir = ["--dir", "fixtures/bad/unknown_dependency"];
    let ran = migraph(&[&dir[..], &["validate", "--format", "junit", file]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("<testcase ").count(), 1);
    let sarif = migraph(&[&dir[..], &["validate", "--format", "sarif", file]].concat());
    assert_eq!(length(&sarif_run(&sarif)["results"]), 0);
}

#[test]
fn a_hostile_name_stays_within_its_line() {
    let dir = temporary_dir();
    let name = "0001_%0A,x=y\n::error::forged \u{1b}[31m\"<&>.sql";
    fs::write(dir.path().join(name), "SELECT 1;\n").unwrap();
    let run = |format| {
        let ran = run(command()
            .current_dir(dir.path())
            .args(["--dir", "./", "validate", "--format", format]));
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{format}");
        assert!(!ran.stdout.contains('\u{1b}'), "{format}: {}", ran.stdout);
        assert_eq!(codes(format, &ran).values().sum::<usize>(), 2, "{format}: {}", ran.stdout);
        ran
    };
    for format in FORMATS {
        run(format);
    }
    assert!(run("github").stdout.lines().all(|line| line.starts_with("::error file=")));
    let place = sarif_run(&run("sarif"));
    let uri = "0001_%250A%2Cx%3Dy%0A%3A%3Aerror%3A%3Aforged%20%1B%5B31m%22%3C%26%3E.sql";
    let artifact = &place["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!((&artifact["uri"], &artifact["uriBaseId"]), (&uri.into(), &"%SRCROOT%".into()));
}

#[test]
fn a_file_that_may_not_be_read_is_a_finding_like_any_other() {
    let dir = temporary_dir();
    fs::write(dir.path().join("0001_a.sql"), "-- @dependencies: []\nSELECT 1;\n").unwrap();
    fs::create_dir(dir.path().join("0002_b.sql")).unwrap();
    for format in FORMATS {
        let ran = validate(dir.path().to_str().unwrap(), format);
        assert_eq!((ran.code, codes(format, &ran).len()), (1, 1), "{format}: {}", ran.stdout);
    }
}

/// Each `$ migraph …` of the page with what follows it.
fn examples(page: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join(page)).unwrap();
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| {
            let (line, output) = block.split_once('\n').unwrap();
            (line.strip_prefix("$ ").unwrap().to_owned(), output.to_owned())
        })
        .collect()
}

#[test]
fn the_examples_of_the_page_are_what_is_printed() {
    let examples = examples("docs/formats.md");
    assert_eq!(examples.len(), FORMATS.len());
    for (line, expected) in examples {
        let args: Vec<_> = line.strip_prefix("migraph ").unwrap().split(' ').collect();
        let ran = migraph(&args);
        assert_eq!(ran.code, 1, "{line}");
        // A line of the page that ends in `…` stands for a longer one.
        let same = |(printed, shown): (&str, &str)| match shown.strip_suffix(" …") {
            Some(start) => printed.starts_with(start),
            None => printed == shown,
        };
        let as_many = ran.stdout.lines().count() == expected.lines().count();
        let equal = ran.stdout.lines().zip(expected.lines()).all(same);
        assert!(as_many && equal, "{line} prints:\n{}", ran.stdout);
    }
}
