//! A section's statements, and how they can be run.

use std::sync::Arc;

use super::{Depth, checksum};
use crate::model::{
    Code, Diagnostic, Execution, Place, Script, Source, Span, Statement, StatementKind,
    TransactionControl, TransactionMode,
};
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
}

/// Parses the script in `span`; `None` when it has no statement.
pub(super) fn parse(
    context: Context<'_>,
    span: Span,
    note: &mut impl FnMut(Diagnostic),
) -> Option<Script> {
    let text = context.source.text();
    let tokens = tokens_in(&context.lexed.tokens, span);
    let statements: Vec<_> = syntax::statements(text, tokens)
        .iter()
        .map(|found| Statement { span: found.span(), kind: found.kind() })
        .collect();
    if statements.is_empty() {
        return None;
    }
    let open = context.lexed.unterminated.is_some_and(|open| open.start >= span.start);
    let commands = psql_commands(context.source, tokens, note);
    let execution = execution(context, &statements, note);
    if !open && !commands {
        syntax_problems(context, span, &statements, &execution, note);
    }
    Some(Script { span, checksum: checksum::of_tokens(text, tokens), execution, statements })
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

/// Decides how the script is run, and complains about every statement that
/// cannot be run that way.
fn execution(
    context: Context<'_>,
    statements: &[Statement],
    note: &mut impl FnMut(Diagnostic),
) -> Execution {
    let enclosing = enclosing(statements);
    let inner = match enclosing {
        Some(_) => &statements[1..statements.len() - 1],
        None => statements,
    };
    let by_statement = match context.mode {
        TransactionMode::Never => true,
        TransactionMode::Always => false,
        TransactionMode::Auto => {
            enclosing.is_none()
                && inner.iter().any(|one| matches!(one.kind, StatementKind::NonTransactional(_)))
        }
    };
    for statement in inner {
        statement_problem(context, statement, by_statement, enclosing.is_some())
            .into_iter()
            .for_each(&mut *note);
    }
    match (by_statement, enclosing) {
        (true, Some([begin, _])) => {
            note(own_transaction(context, begin.span, "BEGIN", true));
            Execution::Statements
        }
        (true, None) => Execution::Statements,
        (false, None) => Execution::Transaction { modes: String::new(), left_out: vec![] },
        (false, Some([begin, commit])) => Execution::Transaction {
            modes: begin_modes(context, begin, note),
            left_out: vec![begin.span, commit.span],
        },
    }
}

/// The script's own `BEGIN` and `COMMIT`, when they hold all of it and there is
/// something between them.
fn enclosing(statements: &[Statement]) -> Option<[&Statement; 2]> {
    use StatementKind::Transaction;
    use TransactionControl::{Begin, Commit};
    let [first, inner @ .., last] = statements else { return None };
    let plain = inner.iter().all(|one| !matches!(one.kind, Transaction(_)));
    let encloses =
        matches!(first.kind, Transaction(Begin { .. })) && matches!(last.kind, Transaction(Commit));
    (encloses && plain && !inner.is_empty()).then_some([first, last])
}

/// The modes of the script's `BEGIN`, which ours takes over.
fn begin_modes(
    context: Context<'_>,
    begin: &Statement,
    note: &mut impl FnMut(Diagnostic),
) -> String {
    let StatementKind::Transaction(TransactionControl::Begin { modes }) = begin.kind else {
        return String::new();
    };
    let text = context.source.slice(modes);
    let words = text.to_ascii_lowercase();
    if words.split_whitespace().collect::<Vec<_>>().join(" ").contains("read only") {
        note(
            Diagnostic::error(
                Code::OwnTransaction,
                "a read-only transaction cannot record its migration",
            )
            .at(Place::new(context.source, modes, "remove READ ONLY")),
        );
    }
    // Comments inside would be sent behind our own BEGIN: harmless but for `--`.
    text.lines()
        .map(|line| line.split("--").next().unwrap_or_default().trim())
        .collect::<Vec<_>>()
        .join(" ")
}

fn statement_problem(
    context: Context<'_>,
    statement: &Statement,
    by_statement: bool,
    enclosed: bool,
) -> Option<Diagnostic> {
    let place =
        |label: &str| Place::new(context.source, context.source.first_line(statement.span), label);
    match statement.kind {
        StatementKind::Plain | StatementKind::Session => None,
        StatementKind::NonTransactional(_) if by_statement => None,
        StatementKind::NonTransactional(what) => {
            let because =
                if enclosed { "the file's own BEGIN … COMMIT" } else { "`@transaction: always`" };
            let message = format!("{what} cannot run in a transaction, which {because} asks for");
            Some(Diagnostic::error(Code::NotInTransaction, message)
                .at(place("runs only outside"))
                .help("remove that, and the file is run statement by statement; a migration of its own for this statement is safer"))
        }
        StatementKind::Transaction(control) => {
            let what = match control {
                TransactionControl::Begin { .. } => "BEGIN",
                TransactionControl::Commit => "COMMIT",
                TransactionControl::Other(what) => what,
            };
            Some(own_transaction(context, statement.span, what, by_statement))
        }
        StatementKind::SessionReset(what) => Some(
            Diagnostic::error(
                Code::SessionReset,
                format!("{what} would undo what keeps the run safe"),
            )
            .at(place("remove this"))
            .help("migraph cleans the session behind each migration itself"),
        ),
        StatementKind::Copy(what) => {
            let (label, help) = match what {
                "COPY … TO STDOUT" => ("nobody would read it", "remove it, or write to a table"),
                _ => ("needs data from the client", "write the rows as INSERT statements"),
            };
            Some(
                Diagnostic::error(Code::UnsupportedCopy, format!("{what} is not supported yet"))
                    .at(place(label))
                    .help(help),
            )
        }
    }
}

fn own_transaction(context: Context<'_>, span: Span, what: &str, by_statement: bool) -> Diagnostic {
    let span = context.source.first_line(span);
    let problem = Diagnostic::error(
        Code::OwnTransaction,
        format!("{what} in a migration is not supported here"),
    )
    .at(Place::new(context.source, span, "migraph runs the transaction itself"));
    if by_statement {
        return problem.help("each statement of this file runs on its own, without a transaction: remove this, or move what belongs together to a migration of its own");
    }
    match what {
        "SET TRANSACTION" => problem.help(
            "give its modes to a BEGIN … COMMIT around all of the script: `BEGIN ISOLATION LEVEL SERIALIZABLE;`",
        ),
        "ROLLBACK" => problem.help(
            "SAVEPOINT and ROLLBACK TO are fine; what undoes a migration belongs in its down section",
        ),
        _ => problem
            .help("one BEGIN … COMMIT around all of the script is fine, as are SAVEPOINT and ROLLBACK TO")
            .help("to commit in between, split the file into several migrations"),
    }
}

/// Asks the parser, where that was wanted or pieces of the file will be run.
fn syntax_problems(
    context: Context<'_>,
    span: Span,
    statements: &[Statement],
    execution: &Execution,
    note: &mut impl FnMut(Diagnostic),
) {
    let in_pieces = match execution {
        Execution::Statements => true,
        Execution::Transaction { left_out, .. } => !left_out.is_empty(),
    };
    let server_judges = context.mode == TransactionMode::Always;
    if server_judges || !(in_pieces || context.depth == Depth::Syntax) {
        return;
    }
    let mut blamed = None;
    let first_of_statement = |error: &SyntaxError| {
        let at = place_of(error).shifted(span.start);
        let statement = statements.partition_point(|one| one.span.end <= at.start);
        blamed.replace(statement) != Some(statement)
    };
    syntax::check(context.source.slice(span))
        .into_iter()
        .filter(first_of_statement)
        .take(MAX_SYNTAX_ERRORS)
        .for_each(|error| note(syntax_problem(context.source, span, error)));
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
