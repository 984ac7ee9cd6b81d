//! Data flows one way: a module uses only those before it in [`LAYERS`].
//!
//! Read from the sources' text, so a path in a macro or a comment counts too;
//! `docs/design/` says why the order is this one.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::fs;
use std::path::{Path, PathBuf};

/// Every room of the house, each behind those it may use.
const LAYERS: [&str; 22] = [
    "model", "suggest", "syntax", "sql", "parse", "graph", "cache", "load", "git", "analyse",
    "lint", "import", "plan",
    "engine", // Above: pure, files aside. Below: a runtime and a database.
    "postgres", "exec", "ops", "report", "config", "exit", "cli", "lib",
];

/// The last of the pure ones.
const LAST_PURE: &str = "engine";

/// What no pure room names.
const IMPURE: [&str; 8] = [
    "tokio",
    "tokio_postgres",
    "postgres_protocol",
    "deadpool_postgres",
    "rustls",
    "nix",
    "indicatif",
    "clap",
];

/// Crates that only some rooms may name.
const RESERVED: [(&str, &[&str]); 8] = [
    ("squawk_lexer", &["syntax", "sql"]),
    ("squawk_parser", &["syntax", "sql"]),
    ("squawk_syntax", &["syntax", "sql"]),
    ("squawk_linter", &["syntax"]),
    ("petgraph", &["graph"]),
    ("nom", &["parse"]),
    ("yaml_rust2", &["import"]),
    ("clap", &["cli"]),
];

/// Text that only some rooms may hold, and why.
const FORBIDDEN: [(&str, &[&str], &str); 10] = [
    ("println!", &[], "only `report` writes, through `output`"),
    ("eprintln!", &[], "only `report` writes, through `output`"),
    ("print!", &[], "only `report` writes, through `output`"),
    ("eprint!", &[], "only `report` writes, through `output`"),
    ("dbg!", &[], "it is for debugging"),
    ("env::var", &["config"], "only `config` reads the environment"),
    ("env::vars", &["config"], "only `config` reads the environment"),
    ("env::var_os", &["config"], "only `config` reads the environment"),
    ("env::vars_os", &["config"], "only `config` reads the environment"),
    ("env::args_os", &["main"], "only `main` reads the arguments"),
];

fn rank(room: &str) -> Option<usize> {
    // The binary is the last of all and uses the library only.
    let room = if room == "main" { "lib" } else { room };
    LAYERS.iter().position(|layer| *layer == room)
}

/// What is wrong in `text`, the source of a file in `room`.
fn violations(room: &str, text: &str) -> Vec<String> {
    let Some(own) = rank(room) else { return vec![format!("`{room}` has no place in LAYERS")] };
    let code = without_tests_and_comments(text);
    let mut found = Vec::new();
    for used in crate_paths(&code) {
        match rank(&used) {
            None => found.push(format!("uses `crate::{used}`, which has no place in LAYERS")),
            Some(other) if other > own => {
                found.push(format!("`{room}` uses `{used}`, which stands behind it in LAYERS"));
            }
            Some(_) => {}
        }
    }
    if own <= rank(LAST_PURE).unwrap() {
        let named = IMPURE.into_iter().filter(|name| names_crate(&code, name));
        found.extend(named.map(|name| format!("`{room}` is pure and names `{name}`")));
    }
    for (name, rooms) in RESERVED {
        if names_crate(&code, name) && !rooms.contains(&room) {
            found.push(format!("only {rooms:?} may name `{name}`"));
        }
    }
    for (text, rooms, why) in FORBIDDEN {
        if contains_word(&code, text) && !rooms.contains(&room) {
            found.push(format!("`{text}`: {why}"));
        }
    }
    found
}

/// The code that ships: up to the unit tests, which stand last in each file, and
/// without comments.
fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.split('\n')
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// `a` of each `crate::a`, and of each `a` in `crate::{a::…, b}`.
fn crate_paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.push(first_word(rest)),
            Some(group) => found.extend(group_heads(group)),
        }
    }
    found.retain(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

/// The first word of each entry of a `use` group, behind its opening brace.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = vec![first_word(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(first_word(&group[at + 1..])),
            _ => {}
        }
    }
    heads
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// True for `name::…`, `use name;` and their like.
fn names_crate(code: &str, name: &str) -> bool {
    contains_word(code, &format!("{name}::")) || contains_word(code, &format!("use {name}"))
}

/// True when `code` holds `text` and neither side goes on as a word or a path.
fn contains_word(code: &str, text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let goes_on = |c: Option<char>| c.is_some_and(is_word);
    code.match_indices(text).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + text.len()..].chars().next();
        let open_end = !text.ends_with(is_word);
        !goes_on(before) && (open_end || !goes_on(after))
    })
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// `syntax` for `syntax/token.rs`, `load` for `load.rs`.
fn room_of(path: &Path, root: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn no_module_uses_one_that_stands_behind_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = sources(&root);
    files.sort();
    assert!(files.len() > 50, "{files:?}");
    let report = |path: &PathBuf| {
        let found = violations(&room_of(path, &root), &fs::read_to_string(path).unwrap());
        let shown = path.strip_prefix(&root).unwrap().display().to_string();
        found.into_iter().map(move |one| format!("src/{shown}: {one}"))
    };
    let all: Vec<_> = files.iter().flat_map(report).collect();
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}

#[test]
fn what_is_forbidden_is_found() {
    let cases = [
        ("plan", "use crate::graph::Node;\nuse tokioless::x;", ""),
        ("plan", "use crate::exec::Event;", "`plan` uses `exec`, which stands behind it in LAYERS"),
        (
            "graph",
            "fn f(it: crate::plan::Plan) {}",
            "`graph` uses `plan`, which stands behind it in LAYERS",
        ),
        (
            "model",
            "use crate::{\n    model::Span,\n    parse::{Depth, parse},\n    suggest,\n};",
            "`model` uses `parse`, which stands behind it in LAYERS;`model` uses `suggest`, which stands behind it in LAYERS",
        ),
        ("cli", "use crate::attic::Old;", "uses `crate::attic`, which has no place in LAYERS"),
        ("attic", "", "`attic` has no place in LAYERS"),
        ("engine", "use tokio_postgres::Client;", "`engine` is pure and names `tokio_postgres`"),
        (
            "engine",
            "async fn f() { tokio::task::yield_now().await }",
            "`engine` is pure and names `tokio`",
        ),
        ("exec", "use tokio::select;", ""),
        (
            "parse",
            "let x = squawk_lexer::tokenize(text);",
            "only [\"syntax\", \"sql\"] may name `squawk_lexer`",
        ),
        ("syntax", "use squawk_syntax::SourceFile;", ""),
        ("report", "println!(\"x\");", "`println!`: only `report` writes, through `output`"),
        ("load", "std::env::var(\"HOME\")", "`env::var`: only `config` reads the environment"),
        ("main", "migraph::cli::run(std::env::args_os())", ""),
        ("plan", "/// See [`crate::exec`].\n// crate::ops\nfn f() {}", ""),
        ("plan", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::ops;\n}", ""),
    ];
    for (room, text, expected) in cases {
        assert_eq!(violations(room, text).join(";"), expected, "{room}: {text}");
    }
}
