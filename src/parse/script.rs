//! A section's statements, and how they can be run.

use std::sync::Arc;

use super::cut::{Cut, cut};
use super::{Depth, Memory, Purpose, checksum};
use crate::model::{
    Code, Diagnostic, Execution, Place, Script, Source, Span, Statement, TransactionMode,
};
use crate::sql::{self, Reading};
use crate::syntax::{self, Lexed, SyntaxError, Token, TokenKind};

/// At most so many syntax errors are shown of one script: behind the first ones
/// stand mostly their consequences.
const MAX_SYNTAX_ERRORS: usize = 5;

/// What every step here needs.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) lexed: &'a Lexed,
    pub(super) mode: TransactionMode,
    pub(super) depth: Depth,
    pub(super) memory: &'a dyn Memory,
}

/// Parses the script in `span`, and says what it says where that was wanted; `None`
/// when it has no statement.
pub(super) fn parse(
    context: Context<'_>,
    span: Span,
    note: &mut impl FnMut(Diagnostic),
) -> Option<(Script, Vec<Reading>)> {
    let text = context.source.text();
    let tokens = tokens_in(&context.lexed.tokens, span);
    let found = syntax::statements(text, tokens);
    let open = context.lexed.unterminated.is_some_and(|open| open.start >= span.start);
    let commands = psql_commands(context.source, tokens, note);
    let Cut { statements, execution, controls } = cut(context, &found, note)?;
    let mut readings = Vec::new();
    if !open && !commands {
        let in_pieces = matches!(execution, Execution::Steps(_)) || !controls.is_empty();
        readings = understand(context, span, &statements, in_pieces, note);
    }
    let left_out = left_out(controls, tokens);
    let checksum = checksum::of_tokens(text, tokens);
    Some((Script { span, checksum, execution, statements, left_out }, readings))
}

/// The script's own transaction control and the lines that only psql reads.
fn left_out(controls: Vec<Span>, tokens: &[Token]) -> Vec<Span> {
    let restrict = tokens.iter().filter(|token| token.kind == TokenKind::Restrict);
    let mut spans = controls;
    spans.extend(restrict.map(|token| token.span()));
    spans.sort_unstable();
    spans
}

fn tokens_in(tokens: &[Token], span: Span) -> &[Token] {
    let from = tokens.partition_point(|token| token.span().start < span.start);
    let to = tokens.partition_point(|token| token.span().start < span.end);
    &tokens[from..to.max(from)]
}

/// Complains about each; true when there is one, and the parser would be confused.
fn psql_commands(
    source: &Arc<Source>,
    tokens: &[Token],
    note: &mut impl FnMut(Diagnostic),
) -> bool {
    let commands = || tokens.iter().filter(|token| token.kind == TokenKind::Backslash);
    commands().for_each(|token| note(psql_command(source, token.span())));
    commands().next().is_some()
}

fn psql_command(source: &Arc<Source>, at: Span) -> Diagnostic {
    let rest = &source.text()[at.start..];
    let command = rest.split_whitespace().next().unwrap_or("\\");
    Diagnostic::error(Code::PsqlCommand, format!("`{command}` is a command of psql, not SQL"))
        .at(Place::new(
            source,
            Span::new(at.start, at.start + command.len()),
            "the server does not know it",
        ))
        .help("migraph sends SQL to the server itself: remove the line, or write it as SQL")
}

/// Asks the parser, where that was wanted or pieces of the file will be run: once,
/// whatever is made of its answer.
fn understand(
    context: Context<'_>,
    span: Span,
    statements: &[Statement],
    in_pieces: bool,
    note: &mut impl FnMut(Diagnostic),
) -> Vec<Reading> {
    let server_judges = context.mode == TransactionMode::Always;
    let judged = !server_judges && (in_pieces || context.depth >= Depth::Syntax);
    let read = context.depth == Depth::Meaning;
    if !judged && !read {
        return Vec::new();
    }
    let text = context.source.slice(span);
    let purpose = if read { Purpose::Meaning } else { Purpose::Verdict };
    if judged && let Some(readings) = context.memory.recall(text, purpose) {
        return readings;
    }
    let tree = syntax::parse(text);
    let errors = match &tree {
        Ok(tree) if judged => tree.errors(),
        Ok(_) => Vec::new(),
        Err(error) => vec![error.clone()],
    };
    let readings = match &tree {
        Ok(tree) if read => sql::read(tree),
        _ => Vec::new(),
    };
    if !judged {
        return readings;
    }
    if errors.is_empty() {
        context.memory.remember(text, purpose, &readings);
    }
    syntax_problems(context.source, (span, statements), errors, note);
    readings
}

fn syntax_problems(
    source: &Arc<Source>,
    (script, statements): (Span, &[Statement]),
    errors: Vec<SyntaxError>,
    note: &mut impl FnMut(Diagnostic),
) {
    let mut blamed = None;
    let first_of_statement = |error: &SyntaxError| {
        let at = place_of(error).shifted(script.start);
        let statement = statements.partition_point(|one| one.span.end <= at.start);
        blamed.replace(statement) != Some(statement)
    };
    errors
        .into_iter()
        .filter(first_of_statement)
        .take(MAX_SYNTAX_ERRORS)
        .for_each(|error| note(syntax_problem(source, script, error)));
}

fn place_of(error: &SyntaxError) -> Span {
    match error {
        SyntaxError::Invalid { span, .. } | SyntaxError::TooDeep { span, .. } => *span,
        SyntaxError::ParserFailed => Span::default(),
    }
}

fn syntax_problem(source: &Arc<Source>, script: Span, error: SyntaxError) -> Diagnostic {
    let at = visible(source, script, place_of(&error).shifted(script.start));
    let (code, message, label) = match error {
        SyntaxError::Invalid { message, .. } => {
            (Code::Syntax, "this is not valid SQL".to_owned(), message)
        }
        SyntaxError::TooDeep { limit, .. } => (
            Code::TooDeep,
            "this SQL is nested too deeply to be understood".to_owned(),
            format!("more than {limit} levels"),
        ),
        SyntaxError::ParserFailed => {
            (Code::Syntax, "the SQL parser failed on this script".to_owned(), String::new())
        }
    };
    Diagnostic::error(code, message)
        .at(Place::new(source, at, label))
        .help("if PostgreSQL accepts it, `-- @transaction: always` sends the script as it is and lets the server judge")
}

/// An error at the end of a script is shown behind its last token, not on an
/// empty line further down.
fn visible(source: &Source, script: Span, at: Span) -> Span {
    let text = source.slice(Span::new(script.start, at.start.min(script.end)));
    let rest = source.slice(Span::new(at.start, script.end));
    if rest.trim().is_empty() {
        return Span::at(script.start + text.trim_end().len());
    }
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    if at.is_empty() { Span::new(at.start, at.start + word) } else { source.first_line(at) }
}
