//! The pages of the rules in `docs/rules/`.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use migraph::model::Code;

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
    let expected: String = Code::ALL.iter().map(line).collect();
    assert!(list.unwrap().ends_with(&format!("\n\n{expected}")), "expected:\n{expected}");
}
