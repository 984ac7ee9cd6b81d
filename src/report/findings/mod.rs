//! What is wrong, in the forms that other programs read.
//!
//! Each form is one complete document, also when nothing is wrong and also when
//! the command ended before it could look at the files.

mod gcc;
mod github;
mod junit;
mod sarif;

use std::path::PathBuf;

use crate::model::{Code, Diagnostic, Place, Severity, is_disguise, shown_path};

/// One thing that is wrong: with the files, or with the command.
pub(crate) struct Finding {
    /// Its stable name.
    pub(crate) code: &'static str,
    /// Its kind, when it is about files; that has a page.
    pub(crate) rule: Option<Code>,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What is wrong.
    pub(crate) message: String,
    /// Where; `None` when it is in no file.
    pub(crate) place: Option<Place>,
    /// Other places that belong to it.
    pub(crate) related: Vec<Place>,
    /// What to do.
    pub(crate) help: Vec<String>,
}

impl Finding {
    /// Why a command could not do its work.
    pub(crate) fn of_command(code: &'static str, message: String, help: Vec<String>) -> Self {
        let (rule, place, related) = (None, None, vec![]);
        Self { code, rule, severity: Severity::Error, message, place, related, help }
    }
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code.as_str(),
            rule: Some(diagnostic.code),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            place: diagnostic.place.clone(),
            related: diagnostic.related.clone(),
            help: diagnostic.help.clone(),
        }
    }
}

/// All that a command found.
pub(crate) struct Findings {
    /// The verb.
    pub(crate) command: &'static str,
    /// What is wrong, in the order in which it is told.
    pub(crate) all: Vec<Finding>,
    /// The files that were looked at, the good ones too, sorted.
    pub(crate) files: Vec<PathBuf>,
    /// Warnings count as errors.
    pub(crate) strict: bool,
    /// False when the command ended before it had looked at the files.
    pub(crate) complete: bool,
}

/// A form that other programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Lines as compilers write them, for editors and problem matchers.
    Gcc,
    /// Workflow commands of GitHub Actions, which become annotations.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit's XML, for reports of test results.
    Junit,
}

impl Style {
    /// The whole document.
    pub(crate) fn render(self, findings: &Findings) -> String {
        match self {
            Self::Gcc => gcc::render(findings),
            Self::Github => github::render(findings),
            Self::Sarif => sarif::render(findings),
            Self::Junit => junit::render(findings),
        }
    }
}

/// `file:line:column`, or the file alone.
fn shown_place(place: &Place) -> String {
    let path = shown_path(place.source.path());
    match place.location() {
        Some(at) => format!("{path}:{}:{}", at.line, at.column),
        None => path,
    }
}

/// `text` with what would disguise it as escapes, but for line breaks: a hostile
/// name must not reach a terminal, and XML has no place for most of them.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            c if is_disguise(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
