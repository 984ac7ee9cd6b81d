//! From bytes to [`Migration`](crate::model::Migration)s: header, sections, statements.
//!
//! Nothing here fails as a whole: what is wrong becomes a [`Diagnostic`] with
//! its place, and parsing goes on, so that one run reports everything.

mod checksum;
mod cut;
mod declared;
mod header;
mod memory;
mod rewrite;
mod script;
mod sections;
mod text;
mod value;

use std::path::PathBuf;
use std::sync::Arc;

pub use declared::{BrokenFile, DeclaredSet, Readings, Unlisted, settle};
pub use memory::{Memory, NoMemory, Purpose};
pub use rewrite::with_dependencies;
pub use value::parse_timeout;

use crate::model::{
    Code, Diagnostic, Diagnostics, Header, MigrationId, Place, Script, Source, Span,
};
use crate::sql::Reading;
use crate::syntax;

/// What a file says about its dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declaration {
    /// `@dependencies` is there.
    Listed,
    /// There is a header, but no `@dependencies` in it.
    Missing,
    /// There is no `@` key at all.
    NoHeader,
    /// Something worse is wrong with the file: nothing is to be said about this.
    Unknown,
}

/// One file, parsed as far as it could be.
#[derive(Debug)]
pub struct ParsedFile {
    /// The file.
    pub source: Arc<Source>,
    /// Its id, when its name is one.
    pub id: Option<MigrationId>,
    /// What it says about its dependencies.
    pub declaration: Declaration,
    /// What it says about itself, as far as that could be read; the dependencies
    /// are empty unless they were listed.
    pub header: Header,
    /// Its scripts, when nothing that is an error was found: up, perhaps down.
    pub scripts: Option<(Script, Option<Script>)>,
    /// What its up script says, at [`Depth::Meaning`].
    pub readings: Vec<Reading>,
    /// Everything that is wrong with it.
    pub diagnostics: Diagnostics,
}

/// How thoroughly to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Tokens; the parser only where pieces of a file will be run apart.
    Tokens,
    /// Every script through the parser.
    Syntax,
    /// What the up scripts say, too.
    Meaning,
}

/// Parses the bytes of the file at `path`.
pub fn parse(path: PathBuf, bytes: Vec<u8>, depth: Depth) -> ParsedFile {
    parse_with(path, bytes, depth, &NoMemory)
}

/// Parses the bytes of the file at `path`; scripts that `memory` recalls are not read
/// again.
pub fn parse_with(path: PathBuf, bytes: Vec<u8>, depth: Depth, memory: &dyn Memory) -> ParsedFile {
    match text::normalise(path, bytes) {
        Ok(source) => parse_source(&Arc::new(source), depth, memory),
        Err(unreadable) => unreadable,
    }
}

/// The text of a file as every reader here wants it: UTF-8 without a byte order
/// mark, with `\n` line ends, without a NUL byte; or what keeps it from being that.
pub fn source(path: PathBuf, bytes: Vec<u8>) -> Result<Source, Diagnostic> {
    text::normalise(path, bytes).map_err(|refused| {
        let first = refused.diagnostics.into_iter().next();
        first.unwrap_or_else(|| Diagnostic::error(Code::UnreadableFile, "cannot read the file"))
    })
}

/// The comments in `text` that would begin a section, were it a migration file.
pub fn section_markers(text: &str) -> Vec<Span> {
    sections::marker_spans(text, &syntax::lex(text).tokens)
}

/// A file of which nothing is known but what is wrong with it.
pub(crate) fn unreadable(source: Arc<Source>, diagnostic: Diagnostic) -> ParsedFile {
    ParsedFile {
        id: id_of(&source).ok(),
        source,
        declaration: Declaration::Unknown,
        header: Header::default(),
        scripts: None,
        readings: Vec::new(),
        diagnostics: vec![diagnostic],
    }
}

/// The checksum of one statement, as the ledger keeps it for statements that
/// run without a transaction.
pub fn statement_checksum(sql: &str) -> crate::model::Checksum {
    checksum::of_tokens(sql, &syntax::lex(sql).tokens)
}

fn id_of(source: &Arc<Source>) -> Result<MigrationId, Diagnostic> {
    let stem = source.path().file_stem().unwrap_or_default().to_string_lossy();
    stem.parse().map_err(|error: crate::model::InvalidMigrationId| {
        Diagnostic::error(Code::InvalidId, error.to_string())
            .at(Place::file(source))
            .help("rename the file: its stem is the id that others depend on")
    })
}

fn parse_source(source: &Arc<Source>, depth: Depth, memory: &dyn Memory) -> ParsedFile {
    let lexed = syntax::lex(source.text());
    let mut diagnostics = Diagnostics::new();
    let mut note = |diagnostic: Diagnostic| diagnostics.push(diagnostic);

    if let Some(open) = lexed.unterminated {
        note(unterminated(source, open));
    }
    let id = id_of(source).map_err(&mut note).ok();
    let sections = sections::find(source, &lexed, &mut note);
    let (header, mut declaration) = header::parse(source, &sections.header, &mut note);
    let depth = if breaks_off(&diagnostics, &sections.header) { Depth::Tokens } else { depth };
    let mut note = |diagnostic: Diagnostic| diagnostics.push(diagnostic);
    let context =
        script::Context { source, lexed: &lexed, mode: header.transaction, depth, memory };
    let (up, readings) = match script::parse(context, sections.up, &mut note) {
        Some((up, readings)) => (Some(up), readings),
        None => (None, Vec::new()),
    };
    let context = script::Context { depth: depth.min(Depth::Syntax), ..context };
    let down = sections.down.and_then(|span| script::parse(context, span, &mut note));
    let down = down.map(|(down, _)| down);
    if up.is_none() {
        let explained = |one: &Diagnostic| {
            use Code::{OwnTransaction, Section, SessionReset, UnsupportedCopy, Unterminated};
            matches!(
                one.code,
                Section | Unterminated | OwnTransaction | SessionReset | UnsupportedCopy
            )
        };
        if !diagnostics.iter().any(explained) {
            diagnostics.push(nothing_to_run(source, down.is_some()));
        }
        if declaration == Declaration::NoHeader {
            declaration = Declaration::Unknown;
        }
    }
    let broken = diagnostics.iter().any(Diagnostic::is_error);
    let scripts = up.filter(|_| !broken).map(|up| (up, down));
    let source = Arc::clone(source);
    ParsedFile { source, id, declaration, header, scripts, readings, diagnostics }
}

/// True when a list of the header has no end: what follows may be the rest of it,
/// and no SQL.
fn breaks_off(diagnostics: &[Diagnostic], header: &[Span]) -> bool {
    let end = header.last().map_or(0, |line| line.end);
    let at = |one: &Diagnostic| one.place.as_ref()?.span;
    let mut malformed = diagnostics.iter().filter(|one| one.code == Code::MalformedHeader);
    malformed.any(|one| at(one).is_some_and(|span| span.start >= end))
}

fn unterminated(source: &Arc<Source>, open: syntax::Unterminated) -> Diagnostic {
    let text = &source.text()[open.start..];
    let dollar = text.strip_prefix('$').and_then(|rest| rest.find('$')).map(|at| &text[..at + 2]);
    let (length, help) = match (open.what, dollar) {
        ("dollar-quoted string", Some(tag)) => {
            (tag.len(), format!("close it with `{tag}`; upper and lower case differ"))
        }
        ("block comment", _) => {
            (2, "close it with `*/`; comments nest, so that each `/*` needs its own".to_owned())
        }
        ("quoted identifier", _) => (1, "close it with `\"`".to_owned()),
        _ => (1, "close it with `'`; inside, a quote is written `''`".to_owned()),
    };
    let begin = Span::new(open.start, open.start + length);
    Diagnostic::error(Code::Unterminated, format!("this {} has no end", open.what))
        .at(Place::new(source, begin, "it begins here"))
        .help(help)
}

fn nothing_to_run(source: &Arc<Source>, has_down: bool) -> Diagnostic {
    let message = if source.text().trim().is_empty() {
        "the file is empty"
    } else if has_down {
        "there is a down section, but nothing to run up"
    } else {
        "there is no SQL to run"
    };
    Diagnostic::error(Code::EmptyScript, message)
        .at(Place::file(source))
        .help("write the statements behind a line `-- UP MIGRATION`; for a migration that does nothing on purpose, `SELECT 1;`")
}
