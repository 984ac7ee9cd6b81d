//! `file:line:column: error: message [code]`, as GCC writes it
//! (<https://gcc.gnu.org/onlinedocs/gcc/Diagnostic-Message-Formatting-Options.html>).

use super::{Finding, Findings, shown_place, visible};
use crate::model::{Place, Severity};

pub(super) fn render(findings: &Findings) -> String {
    findings.all.iter().map(lines).collect()
}

fn lines(finding: &Finding) -> String {
    let at = position(finding.place.as_ref());
    let message = format!("{} [{}]", one_line(&finding.message), finding.code);
    let mut out = line(&at, severity(finding), &message);
    for place in finding.place.iter().filter(|place| !place.label.is_empty()) {
        out += &line(&at, "note", &place.label);
    }
    for place in &finding.related {
        let label = if place.label.is_empty() { "this belongs to it" } else { &place.label };
        out += &line(&position(Some(place)), "note", label);
    }
    for help in &finding.help {
        out += &line(&at, "note", help);
    }
    out
}

/// The compiler's own words.
fn severity(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Info => "note",
        other => other.as_str(),
    }
}

fn line(at: &str, kind: &str, text: &str) -> String {
    format!("{at}: {kind}: {}\n", one_line(text))
}

/// Readers of this form look for line and column: a whole file is its beginning.
/// What is in no file bears the program's name, as GCC's own errors do.
fn position(place: Option<&Place>) -> String {
    match place {
        Some(place) if place.span.is_none() => format!("{}:1:1", shown_place(place)),
        Some(place) => shown_place(place),
        None => "migraph".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    let shown = visible(text);
    let lines: Vec<_> = shown.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}
