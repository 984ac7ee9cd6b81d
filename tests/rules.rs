//! The pages of the rules in `docs/rules/`.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use migraph::model::{Code, Level, Preset};

/// The stems of the pages, without the list of them.
fn pages() -> BTreeSet<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
    let entries = fs::read_dir(dir).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let stems = entries.map(|entry| stem(&entry.unwrap().path()));
    stems.filter(|stem| stem != "README").collect()
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(codes.len(), Code::ALL.len(), "two codes have one name");
    assert_eq!(pages(), codes);
}

#[test]
fn every_page_has_its_parts() {
    for code in Code::ALL {
        let page = code.page();
        assert!(page.starts_with(&format!("# `{code}`\n\n")), "{code}");
        let headings: Vec<_> = page.lines().filter(|line| line.starts_with("## ")).collect();
        let expected = ["## Problem", "## Why it matters in parallel", "## How to mend"];
        assert_eq!(headings, expected, "{code}");
        for text in [code.summary(), code.problem()] {
            assert!(text.ends_with('.') && !text.contains('\n'), "{code}: {text}");
        }
        // SARIF takes single braces for the places of arguments.
        assert!(!page.contains(['{', '}']), "{code}");
    }
}

#[test]
fn the_list_of_pages_has_their_summaries() {
    let list =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md"));
    let line = |code: &Code| format!("- [`{code}`]({code}.md): {}\n", code.summary());
    let lines = |codes: &[Code]| codes.iter().map(line).collect::<String>();
    let ours = lines(&Code::ALL[..Code::ALL.len() - Code::SAFETY.len()]);
    let list = list.unwrap();
    assert!(list.contains(&format!("\n\n{ours}\n")), "expected:\n{ours}");
    let safety = lines(Code::SAFETY);
    assert!(list.ends_with(&format!("\n\n{safety}")), "expected:\n{safety}");
}

/// The rules in back-quotes in the part of the list of pages that begins with `from`.
fn named_behind(from: &str, until: &str) -> BTreeSet<String> {
    let list =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md"));
    let list = list.unwrap();
    let part = list.split(from).nth(1).unwrap().split(until).next().unwrap();
    let quoted = part.split('`').skip(1).step_by(2);
    quoted.filter(|word| Code::named(word).is_some()).map(str::to_owned).collect()
}

#[test]
fn the_presets_are_described_as_they_are() {
    let names = |preset: Preset| {
        preset.codes().map(|code| code.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    let additive = names(Preset::AdditiveOnly);
    assert_eq!(named_behind("- **`additive-only`**", "\n"), additive);
    let more: BTreeSet<_> = names(Preset::Production).difference(&additive).cloned().collect();
    assert_eq!(named_behind("- **`production`**", "\n"), more);
}

#[test]
fn the_levels_are_described_as_they_are() {
    for level in [Level::Warn, Level::Info] {
        let of_level = Code::ALL.iter().filter(|code| code.default_level() == Some(level));
        let expected: BTreeSet<_> = of_level.map(|code| code.as_str().to_owned()).collect();
        let until = format!(" | `{}` |", level.as_str());
        let list =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules/README.md"))
                .unwrap();
        let row = list.split('\n').find(|line| line.ends_with(&until)).unwrap();
        let named = row.split('`').filter(|word| Code::named(word).is_some());
        assert_eq!(named.map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    }
}
