//! `::error file=…,line=…::message`, which GitHub Actions turns into annotations
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use super::{Finding, Findings, shown_place, visible};
use crate::model::{Place, Severity};

pub(super) fn render(findings: &Findings) -> String {
    findings.all.iter().map(command).collect()
}

fn command(finding: &Finding) -> String {
    let name = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties = finding.place.as_ref().map(place_properties).unwrap_or_default();
    properties.push(("title", finding.code.to_owned()));
    let properties: Vec<_> =
        properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
    format!("::{name} {}::{}\n", properties.join(","), data(&message(finding)))
}

/// The runner takes columns only where the place is within one line
/// (`IssueCommandExtension` in <https://github.com/actions/runner>).
fn place_properties(place: &Place) -> Vec<(&'static str, String)> {
    let mut found = vec![("file", place.source.path().to_string_lossy().into_owned())];
    let Some((start, end)) = place.range() else { return found };
    found.push(("line", start.line.to_string()));
    if start.line == end.line {
        found.push(("col", start.column.to_string()));
    }
    found.push(("endLine", end.line.to_string()));
    if start.line == end.line {
        found.push(("endColumn", end.column.to_string()));
    }
    found
}

/// The log of a job shows the message and not the properties, so the places are
/// told again.
fn message(finding: &Finding) -> String {
    let places = finding.place.iter().chain(&finding.related).map(|place| {
        let at = shown_place(place);
        if place.label.is_empty() { at } else { format!("{at}: {}", place.label) }
    });
    let help = finding.help.iter().map(|help| format!("help: {help}"));
    let lines = std::iter::once(finding.message.clone()).chain(places).chain(help);
    lines.collect::<Vec<_>>().join("\n")
}

/// As `escapeData` of <https://github.com/actions/toolkit> does it; what then is
/// left of control characters is made visible.
fn data(text: &str) -> String {
    visible(&text.replace('%', "%25").replace('\r', "%0D")).replace('\n', "%0A")
}

/// As its `escapeProperty`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
