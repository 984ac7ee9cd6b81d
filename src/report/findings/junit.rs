//! JUnit's XML as CI servers read it: one test case for each file.
//!
//! There is no standard; <https://github.com/testmoapp/junitxml> collects what
//! the readers agree on. A case has at most one failure, because not all of them
//! read a second.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::{Finding, Findings, visible};
use crate::model::shown_path;
use crate::report::diagnostics;
use crate::report::text::count;

pub(super) fn render(findings: &Findings) -> String {
    let cases = cases(findings);
    let failures = cases.iter().filter(|case| case.fails(findings.strict)).count();
    // What kept the command from its work is no failed test.
    let (failed, errors) = if findings.complete { (failures, 0) } else { (0, failures) };
    let counts = format!("tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\"", cases.len());
    let name = match findings.command {
        "migraph" => "migraph".to_owned(),
        verb => escape(&format!("migraph {verb}")),
    };
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(out, "<testsuites name=\"{name}\" {counts}>");
    let _ = writeln!(out, "  <testsuite name=\"{name}\" {counts} skipped=\"0\">");
    for case in cases {
        out += &case.render(findings);
    }
    out + "  </testsuite>\n</testsuites>\n"
}

/// A file, or the command itself, and what is wrong with it.
struct Case<'a> {
    file: Option<String>,
    findings: Vec<&'a Finding>,
}

fn cases(findings: &Findings) -> Vec<Case<'_>> {
    let mut by_file: BTreeMap<Option<&Path>, Vec<&Finding>> =
        findings.files.iter().map(|file| (Some(file.as_path()), vec![])).collect();
    for finding in &findings.all {
        let file = finding.place.as_ref().map(|place| place.source.path());
        by_file.entry(file).or_default().push(finding);
    }
    let case = |(file, findings): (Option<&Path>, _)| Case { file: file.map(shown_path), findings };
    by_file.into_iter().map(case).collect()
}

impl Case<'_> {
    fn fails(&self, strict: bool) -> bool {
        self.findings.iter().any(|one| one.severity.fails(strict))
    }

    fn render(&self, all: &Findings) -> String {
        let (name, file) = match &self.file {
            Some(file) => (escape(file), format!(" file=\"{}\"", escape(file))),
            None => (escape(all.command), String::new()),
        };
        let start = format!("    <testcase classname=\"migraph\" name=\"{name}\"{file}");
        let Some(first) = self.first(all.strict) else { return format!("{start}/>\n") };
        let text = self.findings.iter().map(|one| diagnostics::render_finding(one));
        let text = text.collect::<Vec<_>>().join("\n");
        let text = escape(&anstream::adapter::strip_str(&text).to_string());
        if !self.fails(all.strict) {
            let said = format!("<system-out>{text}</system-out>");
            return format!("{start}>\n      {said}\n    </testcase>\n");
        }
        let kind = if all.complete { "failure" } else { "error" };
        let more = match self.findings.len() - 1 {
            0 => String::new(),
            n => format!(" (and {} more)", count(n, "problem")),
        };
        let message = escape(&format!("{}{more}", first.message));
        let code = first.code;
        format!(
            "{start}>\n      <{kind} type=\"{code}\" message=\"{message}\">{text}</{kind}>\n    </testcase>\n"
        )
    }

    /// The one that gives the case its name: the first that makes it fail.
    fn first(&self, strict: bool) -> Option<&Finding> {
        let failing = self.findings.iter().find(|one| one.severity.fails(strict));
        failing.or(self.findings.first()).copied()
    }
}

/// `text` for a text or an attribute of XML 1.0
/// (<https://www.w3.org/TR/xml/#charsets>): what it has no place for is an escape.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}
