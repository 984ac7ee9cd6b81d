use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::{Source, Span};

/// One finding in `path`, at `span` of `text`.
fn finding(path: &str, text: &str, span: Option<(usize, usize)>) -> Finding {
    let source = Arc::new(Source::new(path, text));
    let place = match span {
        Some((start, end)) => Place::new(&source, Span::new(start, end), "a label"),
        None => Place::file(&source),
    };
    Finding::from(&Diagnostic::error(Code::Syntax, "a message").at(place).help("do this"))
}

fn findings(all: Vec<Finding>) -> Findings {
    Findings { command: "validate", all, files: vec![], strict: false, complete: true }
}

fn rendered(style: Style, one: Finding) -> String {
    style.render(&findings(vec![one]))
}

#[test]
fn gcc_has_one_line_for_each_thing() {
    let text = rendered(Style::Gcc, finding("a.sql", "x\nÄÖ y\n", Some((4, 6))));
    assert_eq!(
        text,
        "a.sql:2:2: error: a message [syntax]\n\
         a.sql:2:2: note: a label\n\
         a.sql:2:2: note: do this\n"
    );
    let mut two_lines = finding("a\n.sql", "", None);
    two_lines.message = "one\n\n  two\u{1b}[m".to_owned();
    two_lines.help.clear();
    assert_eq!(
        rendered(Style::Gcc, two_lines),
        "a\\n.sql:1:1: error: one; two\\u{1b}[m [syntax]\n"
    );
    let no_place = Finding::of_command("no-such-file", "gone".to_owned(), vec![]);
    assert_eq!(rendered(Style::Gcc, no_place), "migraph: error: gone [no-such-file]\n");
}

#[test]
fn github_escapes_what_would_end_a_message_or_a_property() {
    let mut one = finding("a,b:c%\n.sql", "SELECT 1", Some((0, 6)));
    one.severity = Severity::Warning;
    one.message = "100 %\r\n::error::forged, really: yes\u{7}".to_owned();
    assert_eq!(
        rendered(Style::Github, one),
        "::warning file=a%2Cb%3Ac%25%0A.sql,line=1,col=1,endLine=1,endColumn=7,title=syntax\
         ::100 %25%0D%0A::error::forged, really: yes\\u{7}\
         %0Aa,b:c%25\\n.sql:1:1: a label%0Ahelp: do this\n"
    );
}

#[test]
fn github_gets_no_columns_where_there_are_several_lines() {
    let one = finding("a.sql", "x\ny\nz", Some((0, 4)));
    let text = rendered(Style::Github, one);
    assert!(text.starts_with("::error file=a.sql,line=1,endLine=3,title=syntax::"), "{text}");
    let text = rendered(Style::Github, finding("a.sql", "x", None));
    assert!(text.starts_with("::error file=a.sql,title=syntax::a message%0Aa.sql%0A"), "{text}");
}

fn sarif(findings: &Findings) -> Value {
    let log: Value = serde_json::from_str(&Style::Sarif.render(findings)).unwrap();
    log["runs"][0].clone()
}

#[test]
fn sarif_counts_characters_and_puts_the_end_behind() {
    let run = sarif(&findings(vec![finding("a b.sql", "ä🧬 x\ny", Some((7, 10)))]));
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b.sql");
    let expected = serde_json::json!(
        { "startLine": 1, "startColumn": 4, "endLine": 2, "endColumn": 2 }
    );
    assert_eq!(place["region"], expected);
}

#[test]
fn sarif_fingerprints_outlive_lines_above() {
    let print = |text: &str, start: usize| {
        let run = sarif(&findings(vec![finding("a.sql", text, Some((start, start + 1)))]));
        run["results"][0]["partialFingerprints"]["migraph/v1"].as_str().unwrap().to_owned()
    };
    let first = print("SELEKT 1;", 0);
    assert_eq!(first, print("\n-- above\n  SELEKT 1;", 12));
    assert_ne!(first, print("SELEKT 2;", 0));
    let twice = || finding("a.sql", "SELEKT 1;", Some((0, 1)));
    let run = sarif(&findings(vec![twice(), twice()]));
    let of = |at: usize| run["results"][at]["partialFingerprints"]["migraph/v1"].clone();
    assert!(of(0).as_str() == Some(&first) && of(0) != of(1));
}

#[test]
fn sarif_has_no_result_without_a_place() {
    let no_place = || Finding::of_command("usage", "what?".to_owned(), vec![]);
    let run = sarif(&Findings { complete: false, ..findings(vec![no_place()]) });
    assert_eq!(run["results"], serde_json::json!([]));
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let said = &run["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(
        (&said["descriptor"]["id"], &said["message"]["text"]),
        (&"usage".into(), &"what?".into())
    );
    let clean = sarif(&findings(vec![]));
    assert_eq!(clean["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn junit_has_a_case_for_each_file_and_only_bad_ones_fail() {
    let mut warning = finding("b.sql", "x", Some((0, 1)));
    warning.severity = Severity::Warning;
    let all = vec![finding("a.sql", "x", None), finding("a.sql", "x", Some((0, 1))), warning];
    let files = ["a.sql", "b.sql", "c.sql"].map(|path| Path::new(path).to_owned()).to_vec();
    let mut found = Findings { files, ..findings(all) };
    let failing = |found: &Findings| {
        let text = Style::Junit.render(found);
        let document = roxmltree::Document::parse(&text).unwrap();
        let suite = document.root_element().first_element_child().unwrap();
        assert_eq!(suite.attribute("tests"), Some("3"), "{text}");
        let failures = document.descendants().filter(|node| node.has_tag_name("failure"));
        let said: Vec<_> = failures
            .map(|node| {
                let file = node.parent().unwrap().attribute("name").unwrap().to_owned();
                format!("{file} {}", node.attribute("message").unwrap())
            })
            .collect();
        assert_eq!(suite.attribute("failures"), Some(said.len().to_string().as_str()));
        said
    };
    assert_eq!(failing(&found), ["a.sql a message (and 1 problem more)"]);
    found.strict = true;
    assert_eq!(failing(&found), ["a.sql a message (and 1 problem more)", "b.sql a message"]);
}

#[test]
fn what_is_no_character_of_xml_is_an_escape() {
    let text = rendered(Style::Junit, finding("a\u{ffff}\u{1}\u{85}<.sql", "x", None));
    assert!(roxmltree::Document::parse(&text).is_ok());
    assert!(text.contains("name=\"a\\u{ffff}\\u{1}\\u{85}&lt;.sql\""), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_well_formed(text in "(\\PC|[\u{0}-\u{9f}\u{fffe}\u{ffff}<>&\"'\\]]){0,40}") {
        let mut one = finding(&text, &text, None);
        one.message.clone_from(&text);
        one.help = vec![text.clone()];
        let found = findings(vec![one]);
        let xml = Style::Junit.render(&found);
        let document = roxmltree::Document::parse(&xml).unwrap();
        let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
        // XML makes a space of a line break in an attribute.
        let shown = visible(&text).replace('\n', " ").replace('\u{fffe}', "\\u{fffe}");
        let shown = shown.replace('\u{ffff}', "\\u{ffff}");
        prop_assert_eq!(failure.attribute("message").unwrap(), shown);
        prop_assert_eq!(Style::Github.render(&found).lines().count(), 1);
        prop_assert!(Style::Gcc.render(&found).lines().all(|line| line.contains(": ")));
        prop_assert!(serde_json::from_str::<Value>(&Style::Sarif.render(&found)).is_ok());
    }
}
