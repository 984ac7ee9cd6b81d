//! A problem in the files, as data: rendering is [`crate::report`]'s work.

use std::sync::Arc;

use super::code::Code;
use super::source::{Location, Source, Span};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is planned or applied.
    Error,
    /// Said, and not in the way unless `--strict`.
    Warning,
    /// Worth knowing, and never in the way.
    Info,
}

impl Severity {
    /// Its name in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// True when it makes a check fail; `strict` takes warnings for errors.
    pub fn fails(self, strict: bool) -> bool {
        match self {
            Self::Error => true,
            Self::Warning => strict,
            Self::Info => false,
        }
    }
}

/// Where a problem is, and what to write beside the caret.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// The part of it; `None` when the file as a whole is meant.
    pub span: Option<Span>,
    /// A few words for the caret; may be empty.
    pub label: String,
}

impl Place {
    /// The place `span` in `source`.
    pub fn new(source: &Arc<Source>, span: Span, label: impl Into<String>) -> Self {
        Self { source: Arc::clone(source), span: Some(span), label: label.into() }
    }

    /// The file as a whole.
    pub fn file(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), span: None, label: String::new() }
    }

    /// Line and column of its first character; `None` for a whole file.
    pub fn location(&self) -> Option<Location> {
        self.span.map(|span| self.source.location(span.start))
    }

    /// Its first character and the one behind its last; `None` for a whole file.
    pub fn range(&self) -> Option<(Location, Location)> {
        let end = self.span.map(|span| self.source.location(span.end))?;
        Some((self.location()?, end))
    }
}

/// One problem: what it is, where, and what to do about it.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Its stable name.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// One lowercase fragment, without a full stop.
    pub message: String,
    /// Where it is; `None` when it is about the directory as a whole.
    pub place: Option<Place>,
    /// Other places that belong to it, such as the first of two duplicates.
    pub related: Vec<Place>,
    /// What to do next, a sentence each.
    pub help: Vec<String>,
}

/// All problems that one step found, in no particular order.
pub type Diagnostics = Vec<Diagnostic>;

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place: None,
            related: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A warning without a place yet.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Something worth knowing, without a place yet.
    pub fn info(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Info, ..Self::error(code, message) }
    }

    /// The same, at `place`.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with another place that belongs to it.
    #[must_use]
    pub fn also(mut self, place: Place) -> Self {
        self.related.push(place);
        self
    }

    /// The same, with one more piece of advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// True for what forbids planning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Sorts by file, place and name, so that output is the same every time.
    pub fn sort(all: &mut [Self]) {
        all.sort_by_cached_key(|one| {
            let place = one.place.as_ref();
            (
                place.map(|place| place.source.path().to_owned()),
                place.and_then(|place| place.span),
                one.code,
                one.message.clone(),
            )
        });
    }
}
