//! The binary's behaviour without a database.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, command, migraph, repository, run, temporary_dir};
use tempfile::TempDir;

const PLAIN: [&str; 2] = ["--dir", "fixtures/good/plain"];

/// A server that nobody runs: connecting is refused at once.
const NOWHERE: &str = "postgres://127.0.0.1:1/x";

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

fn text(dir: &TempDir) -> &str {
    dir.path().to_str().unwrap()
}

fn migration(dir: &Path, id: &str, header: &str) {
    fs::write(dir.join(format!("{id}.sql")), format!("{header}\nSELECT 1;\n")).unwrap();
}

#[test]
fn alone_it_prints_a_guide_and_with_version_its_version() {
    let guide = migraph(&[]);
    assert_eq!((guide.code, guide.stderr.as_str()), (0, ""));
    for verb in ["validate", "plan", "up --ephemeral", "status"] {
        assert!(guide.stdout.contains(&format!("migraph {verb}")), "{}", guide.stdout);
    }
    let version = migraph(&["--version"]);
    assert_eq!(version.stdout, format!("migraph {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.code, 0);
}

#[test]
fn a_wrong_command_line_is_exit_2_and_says_what_is_wrong() {
    let cases: [(&[&str], &str); 8] = [
        (&["--nonsense"], "--nonsense"),
        (&["frobnicate"], "frobnicate"),
        (&["plan", "--jobs", "0"], "1..=1000"),
        (&["plan", "--jobs"], "--jobs"),
        (&["plan", "--dot", "--format", "text"], "--dot"),
        (&["up", "--ephemeral", "--offline"], "`--ephemeral` cannot be used with `--offline`"),
        (
            &["--database-url", NOWHERE, "up", "--ephemeral"],
            "`--ephemeral` cannot be used with `--database-url`",
        ),
        (&["-q", "-v", "plan"], "--verbose"),
    ];
    for (args, expected) in cases {
        let ran = migraph(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}");
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
    let ran = migraph(&["plan", "--nonsense", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
    let document = ran.document();
    assert_eq!(document["errors"][0]["code"], "usage");
    assert!(document["errors"][0]["message"].as_str().unwrap().contains("--nonsense"));
}

#[test]
fn an_unknown_target_is_exit_2_and_the_nearest_is_named() {
    for verb in ["plan", "up"] {
        let ran = migraph(&with(&PLAIN, &["--offline", verb, "--target", "0003_order"]));
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains("no migration has the id `0003_order`"), "{}", ran.stderr);
        assert!(ran.stderr.contains("did you mean `0003_orders`?"), "{}", ran.stderr);
    }
    let ran = migraph(&with(&PLAIN, &["plan", "--target", "entirely_else", "nor_this"]));
    assert!(ran.stderr.contains("`entirely_else`, `nor_this`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("lists the ids"), "{}", ran.stderr);
}

#[test]
fn a_target_comes_with_its_ancestors_only() {
    let layers = |args: &[&str]| {
        let ran = migraph(&with(&PLAIN, &with(&["plan", "--format", "json"], args)));
        let document = ran.document();
        document["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| layer.as_array().unwrap().len())
            .collect::<Vec<_>>()
    };
    assert_eq!(layers(&[]), [2, 1]);
    assert_eq!(layers(&["--target", "0002_products"]), [1]);
    assert_eq!(layers(&["--target", "fixtures/good/plain/0003_orders.sql"]), [2, 1]);
    assert_eq!(layers(&["--target", "0001_users", "0002_products"]), [2]);
}

#[test]
fn a_directory_that_is_none_is_said() {
    let empty = temporary_dir();
    let cases = [
        ("no/such/dir", "`no/such/dir` does not exist"),
        ("Cargo.toml", "`Cargo.toml` is not a directory"),
        (text(&empty), "there are no migrations in"),
    ];
    for (dir, expected) in cases {
        for verb in ["plan", "validate", "up", "status"] {
            let ran = migraph(&["--dir", dir, verb]);
            assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{dir} {verb}");
            assert!(ran.stderr.contains(expected), "{}", ran.stderr);
            assert!(ran.stderr.contains("`--dir DIR` names another"), "{}", ran.stderr);
        }
    }
}

#[test]
fn validate_can_be_limited_to_files() {
    let bad = "fixtures/bad/unknown_dependency";
    let validate = |dir: &str, files: &[&str]| migraph(&with(&["--dir", dir, "validate"], files));
    let ran = validate(bad, &["fixtures/bad/unknown_dependency/0001_users.sql"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, "no problem in the files named; others have some\n");
    let ran = validate(bad, &["fixtures/bad/unknown_dependency/0002_orders.sql"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.ends_with("3 errors\n"), "{}", ran.stderr);
    // Both knots of the fixture are there, and one of them touches the file.
    let ran = validate("fixtures/bad/cycles", &["fixtures/bad/cycles/0002_b.sql"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.ends_with("1 error\n"), "{}", ran.stderr);
    // A message that stands for many files is about each.
    let ran = validate("fixtures/bad/no_headers", &["fixtures/bad/no_headers/0004_likes.sql"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    // A mistyped path must not pass for a good file.
    for path in ["Cargo.toml", "fixtures/bad/unknown_dependency/0009_typo.sql", "0002_orders.sql"] {
        let ran = validate(bad, &[path]);
        assert_eq!(ran.code, 2);
        let said = format!("`{path}` is no file of the migrations");
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    }
}

#[test]
fn strict_takes_warnings_for_errors() {
    let dir = ["--dir", "fixtures/good/unknown_key", "validate"];
    assert_eq!(migraph(&dir).code, 0);
    let strict = migraph(&with(&dir, &["--strict"]));
    assert_eq!(strict.code, 1);
    assert!(strict.stderr.ends_with("2 warnings\n"), "{}", strict.stderr);
    let document = migraph(&with(&dir, &["--format", "json"])).document();
    assert_eq!(
        (&document["ok"], document["warnings"].as_array().unwrap().len()),
        (&true.into(), 2)
    );
    assert!(document.get("errors").is_none(), "{document}");
    let document = migraph(&with(&dir, &["--format", "json", "--strict"])).document();
    assert_eq!((&document["ok"], document["errors"].as_array().unwrap().len()), (&false.into(), 2));
}

#[test]
fn assume_chain_is_the_way_out_for_files_without_headers() {
    let dir = ["--dir", "fixtures/bad/no_headers", "--assume-chain", "--offline"];
    let valid = migraph(&with(&dir, &["validate"])).stdout;
    assert!(valid.starts_with("5 migrations valid"), "{valid}");
    let plan = migraph(&with(&dir, &["plan"]));
    assert!(plan.stdout.starts_with("5 migrations in 5 layers"), "{}", plan.stdout);
}

#[test]
fn a_flag_goes_over_the_environment_and_that_over_dot_env() {
    let dir = temporary_dir();
    let workers = |variable: Option<&str>, flag: &[&str]| {
        let mut command = command();
        command.current_dir(dir.path()).args(["plan", "--offline"]).args(flag);
        command.env("MIGRAPH_DIR", repository().join("fixtures/good/plain"));
        if let Some(value) = variable {
            command.env("MIGRAPH_JOBS", value);
        }
        let ran = run(&mut command);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let line = ran.stdout.lines().find(|line| line.starts_with("estimated time")).unwrap();
        line.split_whitespace().rev().nth(1).unwrap().to_owned()
    };
    assert_eq!(workers(None, &[]), "4");
    fs::write(dir.path().join(".env"), "# a remark\nMIGRAPH_JOBS=3\n").unwrap();
    assert_eq!(workers(None, &[]), "3");
    assert_eq!(workers(Some("5"), &[]), "5");
    assert_eq!(workers(Some("5"), &["--jobs", "7"]), "7");
}

#[test]
fn a_flag_without_a_value_may_stand_in_the_environment() {
    for (value, code) in [("true", 0), ("1", 0), ("yes", 0), ("false", 3), ("maybe", 2)] {
        let mut plan = command();
        plan.env("DATABASE_URL", NOWHERE).env("MIGRAPH_OFFLINE", value);
        let ran = run(plan.args(with(&PLAIN, &["plan"])));
        assert_eq!(ran.code, code, "{value}: {}", ran.stderr);
    }
}

#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = command().args(with(&PLAIN, &["plan", "--offline"])).stdout(full).status();
    assert_eq!(status.unwrap().code(), Some(1));
}

#[test]
fn a_hostile_path_does_not_reach_the_terminal() {
    let dir = temporary_dir();
    let hostile = dir.path().join("\u{1b}]0;pwn\u{7}\n");
    fs::create_dir(&hostile).unwrap();
    fs::write(hostile.join("q.sql"), "SELEKT").unwrap();
    let ran = migraph(&["--dir", text(&dir), "--color", "always", "validate"]);
    assert!(ran.stderr.contains(r"\u{1b}]0;pwn\u{7}\n/q.sql"), "{}", ran.stderr);
}

#[test]
fn a_configuration_file_is_found_upwards_and_comes_last() {
    let dir = temporary_dir();
    let inner = dir.path().join("app/deep");
    fs::create_dir_all(&inner).unwrap();
    fs::create_dir(dir.path().join("sql")).unwrap();
    migration(&dir.path().join("sql"), "0001_a", "-- @dependencies: []");
    let file = dir.path().join("migraph.toml");
    let plan = |text: &str, variable: &str, args: &[&str]| {
        fs::write(&file, text).unwrap();
        let mut command = command();
        command.current_dir(&inner).env("MIGRAPH_JOBS", variable);
        run(command.args(with(&["plan"], args)))
    };
    let text = "dir = \"sql\"\njobs = 3\n";
    assert!(plan(text, "", &[]).stdout.contains("3 workers"));
    assert!(plan(text, "5", &[]).stdout.contains("5 workers"));
    assert!(plan(text, "5", &["--jobs", "6"]).stdout.contains("6 workers"));
    let ran = plan("dri = \"sql\"\n", "", &[]);
    assert_eq!(ran.code, 2);
    for said in ["unknown key `dri`", "migraph.toml:1:1", "did you mean `dir`?"] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let ran = plan("jobs = \"many\"\n", "", &["--dir", "../../sql"]);
    assert_eq!((ran.code, ran.stderr.contains("many")), (2, true), "{}", ran.stderr);
    // The file's database comes behind the environment's.
    fs::write(&file, "dir = \"sql\"\ndatabase-url = \"postgres://u:s3cr3t@127.0.0.1:2/x\"\n")
        .unwrap();
    let ran = run(command().current_dir(&inner).args(["plan"]));
    assert!(ran.code == 3 && ran.stderr.contains("127.0.0.1:2"), "{}", ran.stderr);
    assert_silent(&ran, "the file's URL");
    let ran = run(command().current_dir(&inner).env("DATABASE_URL", NOWHERE).args(["plan"]));
    assert!(ran.stderr.contains("127.0.0.1:1"), "{}", ran.stderr);
    let other = dir.path().join("other.toml");
    fs::write(&other, "dir = \"sql\"\njobs = 9\n").unwrap();
    let named = run(command().current_dir(&inner).args(["--config", text_of(&other), "plan"]));
    assert!(named.stdout.contains("9 workers"), "{}", named.stderr);
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_variable_that_cannot_be_used_is_named() {
    for value in ["many", "0", "-1", "70000"] {
        let mut command = command();
        let ran = run(command.env("MIGRAPH_JOBS", value).args(with(&PLAIN, &["plan"])));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        assert!(ran.stderr.contains("MIGRAPH_JOBS"), "{}", ran.stderr);
    }
    let ran = migraph(&with(&PLAIN, &["plan", "--jobs", "many"]));
    assert!(!ran.stderr.contains("MIGRAPH_JOBS"), "{}", ran.stderr);
}

#[test]
fn the_sample_is_planned_in_80_columns_and_twice_the_same() {
    let dir = ["--dir", "migrations", "plan", "--offline"];
    let plan = migraph(&dir);
    assert_eq!((plan.code, plan.stderr.as_str()), (0, ""));
    for line in plan.stdout.lines() {
        assert!(line.chars().count() <= 80 && line == line.trim_end(), "{line:?}");
    }
    for format in ["text", "json", "dot"] {
        let args = with(&dir, &["--format", format]);
        assert_eq!(migraph(&args).stdout, migraph(&args).stdout, "{format}");
    }
}

/// What Graphviz makes of `document`.
fn svg(document: &str) -> String {
    let mut dot = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    dot.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = dot.wait_with_output().unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && complaints.is_empty(), "{complaints}\n{document}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn graphviz_draws_the_sample() {
    let drawn = svg(&migraph(&["--dir", "migrations", "plan", "--offline", "--dot"]).stdout);
    assert_eq!(drawn.matches("class=\"node\"").count(), 70);
    assert!(drawn.contains("class=\"edge\"") && drawn.contains("stroke=\"red\""));
}

#[test]
fn graphviz_draws_any_name() {
    let dir = temporary_dir();
    // Its name, and as it stands in the SVG.
    let names = [
        ("0001_quotes", r#"He said "no" \"#, "He said &quot;no&quot; \\"),
        ("0002.with-dots", r"C:\new\N\G", r"C:\new\N\G"),
        ("0003_html", "<b>bold</b> &amp; <br/>", "&lt;b&gt;bold&lt;/b&gt; &amp;amp; &lt;br/&gt;"),
        ("0004_unicode", "長さ “größer” 🧬", "長さ “größer” 🧬"),
        ("0005_control", "bell\u{7} and\ttab", "bell  and tab"),
        ("node", "digraph { a -> b }; //", "digraph { a &#45;&gt; b }; //"),
    ];
    for (id, name, _) in names {
        migration(dir.path(), id, &format!("-- @name: {name}\n-- @dependencies: []"));
    }
    let ran = migraph(&["--dir", text(&dir), "plan", "--offline", "--dot"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let drawn = svg(&ran.stdout).replace("&#160;", " ").replace("&#39;", "'");
    assert_eq!(drawn.matches("class=\"node\"").count(), names.len());
    for (_, _, shown) in names {
        assert!(drawn.contains(shown), "{shown}: {drawn}");
    }
}

/// Enough migrations for more output than any pipe holds.
fn large() -> TempDir {
    let dir = temporary_dir();
    for n in 0..2_000 {
        migration(dir.path(), &format!("{n:04}_migration"), "-- @dependencies: []");
    }
    dir
}

#[test]
fn a_reader_who_leaves_early_is_a_quiet_end() {
    let dir = large();
    for format in ["text", "json", "dot"] {
        let mut child = command()
            .args(["--dir", text(&dir), "plan", "--offline", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "{line}");
        drop(reader);
        let mut complaints = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert_eq!((child.wait().unwrap().code(), complaints.as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn without_a_database_up_and_status_say_what_to_set() {
    for (verb, way_out) in [("up", "--ephemeral"), ("status", "--database-url")] {
        for more in [&[][..], &["--offline"]] {
            let ran = migraph(&with(&PLAIN, &with(&[verb], more)));
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
            assert!(ran.stderr.contains(&format!("`{verb}` needs a database")), "{}", ran.stderr);
            assert!(ran.stderr.contains(way_out), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_exit_3_and_offline_the_way_out() {
    for verb in ["plan", "status", "up"] {
        let ran = migraph(&with(&PLAIN, &["--database-url", NOWHERE, verb]));
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""));
        assert!(ran.stderr.contains("127.0.0.1:1"), "{}", ran.stderr);
        assert!(ran.stderr.contains("--offline"), "{}", ran.stderr);
    }
    let ran = migraph(&with(&PLAIN, &["--database-url", NOWHERE, "--offline", "plan"]));
    assert_eq!(ran.code, 0);
}

#[test]
fn colours_come_only_when_wanted() {
    let bad = ["--dir", "fixtures/bad/cycles", "validate"];
    let coloured = |ran: Ran| ran.stderr.contains('\u{1b}');
    assert!(!coloured(migraph(&bad)), "stderr is no terminal");
    assert!(coloured(migraph(&with(&["--color", "always"], &bad))));
    assert!(!coloured(migraph(&with(&["--color", "never"], &bad))));
    let forced = |name: &str| run(command().env("CLICOLOR_FORCE", "1").env(name, "1").args(bad));
    assert!(coloured(forced("UNUSED")));
    assert!(!coloured(forced("NO_COLOR")));
}

#[test]
fn measured_times_are_used_and_a_bad_file_is_refused() {
    let dir = temporary_dir();
    let path = dir.path().join("report.json");
    let plan = |json: &str| {
        fs::write(&path, json).unwrap();
        migraph(&with(&PLAIN, &["plan", "--offline", "--timings", path.to_str().unwrap()]))
    };
    let ran = plan(
        r#"{"migrations": [{"id": "0001_users", "execution_time_ms": 4321.0}, {"id": "gone", "execution_time_ms": 1}]}"#,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("4.32 s"), "{}", ran.stdout);
    let basis = "1 measured, 1 the median of the same @performanceImpact, 1 fixed";
    let words: Vec<_> = ran.stdout.split_whitespace().collect();
    assert!(words.join(" ").contains(basis), "{}", ran.stdout);
    for bad in ["", "[]", "{\"migrations\": 1}", "{\"migrations\": [{\"id\": 1}]}"] {
        let ran = plan(bad);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{bad}");
        assert!(ran.stderr.contains("cannot use the timings in"), "{}", ran.stderr);
        assert!(ran.stderr.contains("migraph up --format json"), "{}", ran.stderr);
    }
    let ran = migraph(&with(&PLAIN, &["plan", "--timings", "no-such-file.json"]));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("no-such-file.json"), "{}", ran.stderr);
}

#[test]
fn every_json_document_is_whole_and_versioned() {
    let cases: [(&[&str], i32); 13] = [
        (&["--dir", "migrations", "plan", "--offline"], 0),
        (&["--dir", "migrations", "validate"], 0),
        (&["--dir", "fixtures/good/unknown_key", "plan", "--offline"], 0),
        (&["--dir", "fixtures/good/unknown_key", "validate"], 0),
        (&["--dir", "fixtures/bad/many_at_once", "validate"], 1),
        (&["--dir", "fixtures/bad/many_at_once", "plan"], 1),
        (&["--dir", "fixtures/bad/not_utf8", "up"], 1),
        (&["--dir", "nowhere", "status"], 1),
        (&["--dir", "fixtures/good/plain", "up"], 2),
        (&["--dir", "fixtures/good/plain", "plan", "--target", "x"], 2),
        (&["--dir", "fixtures/good/plain", "validate", "Cargo.toml"], 2),
        (&["--dir", "fixtures/good/plain", "--database-url", NOWHERE, "status"], 3),
        (&["--dir", "fixtures/good/plain", "frobnicate"], 2),
    ];
    for (args, code) in cases {
        let ran = migraph(&with(args, &["--format", "json"]));
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{args:?}");
        let document = ran.document();
        assert_eq!(document["ok"], code == 0, "{document}");
        assert_eq!(document.get("errors").is_some(), code != 0, "{document}");
        for problem in document["errors"].as_array().into_iter().flatten() {
            assert!(problem["code"].is_string() && problem["message"].is_string(), "{document}");
        }
    }
}

const SECRET: &str = "s3cr3t";

/// Fails when a run's output holds the password, or a part that gives it away.
fn assert_silent(ran: &Ran, why: &str) {
    for stream in [&ran.stdout, &ran.stderr] {
        assert!(!stream.contains(SECRET), "{why}: {stream}");
    }
}

#[test]
fn no_output_holds_a_password() {
    let urls = [
        "postgres://u:s3cr3t@127.0.0.1:1/d",
        "postgres://u:s3cr3t@127.0.0.1:port/d",
        "postgres://u:x@s3cr3t@127.0.0.1:1/d",
        "postgres://u:x@s3cr3t/y@127.0.0.1:1/d",
        "postgres://u:s3cr3t/x@127.0.0.1:1/d",
        "postgres://u:s3cr3t#x@127.0.0.1:1/d",
        "postgres://u:s3cr3t?x@127.0.0.1:1/d",
        "postgres://u:%zzs3cr3t@127.0.0.1:1/d",
        "postgres://u:s3cr3t @127.0.0.1:1/d",
        "postgres://u:s3cr3t@[::1/d",
        "postgres://u:s3cr3t@127.0.0.1:1/d?sslmode=verify-full",
        "postgres://u:s3cr3t@127.0.0.1:1/d?unknown=1",
        "postgres://u@127.0.0.1:1/d?password=s3cr3t",
        "postgres://u@127.0.0.1:1/d?password=s3cr3t&sslmode=s3cr3t",
        "postgres:/u:s3cr3t@127.0.0.1:1/d",
        "http://u:s3cr3t@127.0.0.1:1/d",
        "u:s3cr3t@127.0.0.1:1",
        "host=127.0.0.1 port=1 user=u password=s3cr3t",
        "host=127.0.0.1 port=1 user=u password='s3cr3t",
        "host=127.0.0.1 port=1 user=u password=my s3cr3t",
        "host=127.0.0.1 port=1 user=u password=my s3cr3t=x",
    ];
    for url in urls {
        for format in ["text", "json"] {
            let args = with(&PLAIN, &["--database-url", url, "-v", "plan", "--format", format]);
            let ran = migraph(&args);
            assert!([2, 3].contains(&ran.code), "{url}: {}", ran.code);
            assert_silent(&ran, url);
        }
        let ran = run(command().env("DATABASE_URL", url).args(with(&PLAIN, &["up"])));
        assert_silent(&ran, url);
    }
    let mut command = command();
    command.env("PGHOST", "127.0.0.1").env("PGPORT", "1").env("PGPASSWORD", SECRET);
    let ran = run(command.args(with(&PLAIN, &["-v", "status"])));
    assert_eq!(ran.code, 3);
    assert_silent(&ran, "PGPASSWORD");
}

#[test]
fn a_bad_line_of_dot_env_is_not_quoted() {
    let dir = temporary_dir();
    migration(dir.path(), "0001_a", "-- @dependencies: []");
    // What is not for us is nobody's mistake.
    let bad = [
        ("PGPASSWORD s3cr3t", 2),
        ("PGPASSWORD='s3cr3t", 2),
        ("export DATABASE_URL=\"s3cr3t", 2),
        ("MIGRAPH_JOBS=4 s3cr3t", 2),
        ("s3cr3t", 0),
        ("=s3cr3t", 0),
        ("A-B={\"s3cr3t\": 1}", 0),
    ];
    for (line, code) in bad {
        fs::write(dir.path().join(".env"), format!("{line}\nMIGRAPH_JOBS=7\n")).unwrap();
        let ran = run(command().current_dir(dir.path()).args(["--dir", ".", "plan"]));
        assert_eq!(ran.code, code, "{line}: {}", ran.stdout);
        if code == 0 {
            assert!(ran.stdout.contains("7 workers"), "{line}: {}", ran.stdout);
        } else {
            assert!(ran.stderr.contains("NAME=value"), "{line}: {}", ran.stderr);
        }
        assert_silent(&ran, line);
        let from_elsewhere = migraph(&["--dir", text(&dir), "plan"]);
        assert_silent(&from_elsewhere, line);
    }
}
