//! SARIF 2.1.0
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html>).
//!
//! Findings with a place are results. What is in no file, and why the command
//! could not do its work, are notifications: readers such as GitHub's code
//! scanning take no result without a place.

mod log;
mod uri;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Finding, Findings};
use crate::model::{Code, Place, Severity, Source, Span};
use log::{
    ArtifactLocation, Driver, Help, Invocation, Level, Location, Log, Message, Notification,
    PhysicalLocation, Reference, Region, Result, Rule, Run, Tool,
};

/// Where the rules' pages are; without a repository in Cargo.toml nobody knows.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

pub(super) fn render(findings: &Findings) -> String {
    let log = Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [run(findings)],
    };
    // Only a map with keys that are no strings could fail; there is none.
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

fn run(findings: &Findings) -> Run {
    let is_result = |one: &&Finding| one.rule.is_some() && one.place.is_some();
    let (results, rest): (Vec<_>, Vec<_>) = findings.all.iter().partition(is_result);
    let codes: BTreeSet<Code> = results.iter().filter_map(|one| one.rule).collect();
    let codes: Vec<Code> = codes.into_iter().collect();
    let failed = rest.iter().any(|one| one.severity == Severity::Error);
    let invocation = Invocation {
        execution_successful: findings.complete && !failed,
        tool_execution_notifications: rest.iter().map(|one| notification(one)).collect(),
    };
    let source_root = ArtifactLocation {
        uri: None,
        uri_base_id: None,
        description: Some(text("the directory in which migraph was run")),
    };
    let mut prints = Fingerprints::default();
    Run {
        tool: Tool { driver: driver(&codes) },
        invocations: [invocation],
        original_uri_base_ids: [(uri::ROOT, source_root)].into(),
        column_kind: "unicodeCodePoints",
        results: results.iter().map(|one| result(one, &codes, &mut prints)).collect(),
    }
}

fn driver(codes: &[Code]) -> Driver {
    Driver {
        name: "migraph",
        semantic_version: env!("CARGO_PKG_VERSION"),
        information_uri: Some(REPOSITORY).filter(|uri| !uri.is_empty()),
        rules: codes.iter().map(|code| rule(*code)).collect(),
    }
}

fn rule(code: Code) -> Rule {
    Rule {
        id: code.as_str(),
        short_description: text(code.summary()),
        full_description: text(code.problem()),
        help_uri: help_uri(REPOSITORY, code),
        help: Help { text: code.summary(), markdown: code.page() },
    }
}

/// The rule's page of the version that runs.
fn help_uri(repository: &str, code: Code) -> Option<String> {
    let version = env!("CARGO_PKG_VERSION");
    let page = format!("{repository}/blob/v{version}/docs/rules/{code}.md");
    Some(page).filter(|_| !repository.is_empty())
}

fn result(finding: &Finding, codes: &[Code], prints: &mut Fingerprints) -> Result {
    let rule = finding.rule.and_then(|code| codes.binary_search(&code).ok());
    Result {
        rule_id: finding.code,
        rule_index: rule,
        level: level(finding.severity),
        message: message(finding),
        locations: finding.place.iter().map(location).collect(),
        related_locations: finding.related.iter().map(location).collect(),
        partial_fingerprints: finding.place.iter().map(|at| prints.of(finding, at)).collect(),
    }
}

fn notification(finding: &Finding) -> Notification {
    Notification {
        descriptor: Reference { id: finding.code },
        level: level(finding.severity),
        message: message(finding),
        locations: finding.place.iter().map(location).collect(),
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Info => Level::Note,
    }
}

fn message(finding: &Finding) -> Message {
    let help = finding.help.iter().map(|help| format!("help: {help}"));
    let lines: Vec<_> = std::iter::once(finding.message.clone()).chain(help).collect();
    text(&lines.join("\n"))
}

/// Braces are doubled, because single ones hold the place of an argument (3.11.5),
/// and what looks like a link is made none (3.11.6).
fn text(plain: &str) -> Message {
    let text = plain.replace('{', "{{").replace('}', "}}").replace("](", "\\](");
    Message { text }
}

fn location(place: &Place) -> Location {
    let region = place.range().map(|(start, end)| Region {
        start_line: start.line,
        start_column: start.column,
        end_line: end.line,
        end_column: end.column,
    });
    let artifact_location = uri::artifact(place.source.path());
    let message = Some(place.label.as_str()).filter(|label| !label.is_empty()).map(text);
    Location { physical_location: PhysicalLocation { artifact_location, region }, message }
}

/// Makes what stays the same when lines above it change: the kind of problem, the
/// file, the text of the line, and which one of these it is.
#[derive(Default)]
struct Fingerprints {
    seen: BTreeMap<String, usize>,
}

impl Fingerprints {
    fn of(&mut self, finding: &Finding, place: &Place) -> (&'static str, String) {
        let line = place.span.map_or("", |span| line_at(&place.source, span));
        let path = uri::relative(place.source.path());
        let hash = format!("{:x}", Sha256::digest([finding.code, &path, line].join("\0")));
        let hash: String = hash.chars().take(16).collect();
        let count = self.seen.entry(hash.clone()).or_default();
        *count += 1;
        ("migraph/v1", format!("{hash}:{count}"))
    }
}

/// The line in which `span` begins, without its indentation.
fn line_at(source: &Source, span: Span) -> &str {
    let (before, behind) = source.text().split_at(span.start.min(source.text().len()));
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = before.len() + behind.find('\n').unwrap_or(behind.len());
    source.slice(Span::new(start, end)).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_an_address_where_the_repository_has_one() {
        let version = env!("CARGO_PKG_VERSION");
        let page = help_uri("https://example.org/migraph", Code::Cycle).unwrap();
        let expected = format!("https://example.org/migraph/blob/v{version}/docs/rules/cycle.md");
        assert_eq!(page, expected);
        assert_eq!(help_uri("", Code::Cycle), None);
    }

    #[test]
    fn plain_text_is_neither_placeholder_nor_link() {
        assert_eq!(text("a {0} [b](c) [d] (e)").text, "a {{0}} [b\\](c) [d] (e)");
    }
}
