//! A problem in the files, as data: rendering is [`crate::report`]'s work.

use std::fmt;
use std::sync::Arc;

use super::source::{Location, Source, Span};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is planned or applied.
    Error,
    /// Said, and not in the way unless `--strict`.
    Warning,
}

/// The stable name of a kind of problem, such as `unknown-dependency`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "`as_str` is the name; the message of each says what it means")]
pub enum Code {
    UnreadableFile,
    NotUtf8,
    NulByte,
    InvalidId,
    DuplicateId,
    NoHeaders,
    MissingDependencies,
    MalformedHeader,
    DuplicateKey,
    UnknownKey,
    UnknownDependency,
    SelfDependency,
    DuplicateDependency,
    Cycle,
    Section,
    EmptyScript,
    Unterminated,
    TooDeep,
    Syntax,
    OwnTransaction,
    NotInTransaction,
    SessionReset,
    UnsupportedCopy,
    PsqlCommand,
    Configuration,
    TooMany,
    CodeMigration,
    Template,
    Repeatable,
    SameVersion,
    MissingUp,
    UnreadableLayout,
    NoPlace,
    NeedsLeftOut,
    NoStatement,
    Remarked,
}

impl Code {
    /// The name as it stands in outputs and may be relied on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableFile => "unreadable-file",
            Self::NotUtf8 => "not-utf8",
            Self::NulByte => "nul-byte",
            Self::InvalidId => "invalid-id",
            Self::DuplicateId => "duplicate-id",
            Self::NoHeaders => "no-headers",
            Self::MissingDependencies => "missing-dependencies",
            Self::MalformedHeader => "malformed-header",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownKey => "unknown-key",
            Self::UnknownDependency => "unknown-dependency",
            Self::SelfDependency => "self-dependency",
            Self::DuplicateDependency => "duplicate-dependency",
            Self::Cycle => "cycle",
            Self::Section => "section",
            Self::EmptyScript => "empty-script",
            Self::Unterminated => "unterminated",
            Self::TooDeep => "too-deep",
            Self::Syntax => "syntax",
            Self::OwnTransaction => "own-transaction",
            Self::NotInTransaction => "not-in-transaction",
            Self::SessionReset => "session-reset",
            Self::UnsupportedCopy => "unsupported-copy",
            Self::PsqlCommand => "psql-command",
            Self::Configuration => "configuration",
            Self::TooMany => "too-many",
            Self::CodeMigration => "code-migration",
            Self::Template => "template",
            Self::Repeatable => "repeatable",
            Self::SameVersion => "same-version",
            Self::MissingUp => "missing-up",
            Self::UnreadableLayout => "unreadable-layout",
            Self::NoPlace => "no-place",
            Self::NeedsLeftOut => "needs-left-out",
            Self::NoStatement => "no-statement",
            Self::Remarked => "remarked",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
