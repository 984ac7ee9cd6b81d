//! The SQL of one section, cut into statements and steps.

use std::ops::Range;

use super::checksum::Checksum;
use super::source::{Source, Span};

/// What running a statement needs or does beyond its SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// Runs in a transaction or outside.
    Plain,
    /// Mostly runs in a transaction too; whether it can, its text does not tell:
    /// a procedure may commit, a table may be partitioned.
    Undecided,
    /// Changes the session and nothing in the database, such as `SET`; no step of its own
    /// in the ledger.
    Session,
    /// Cannot run in a transaction block; says what it is, such as
    /// `CREATE INDEX CONCURRENTLY`.
    NonTransactional(&'static str),
    /// `COPY … FROM STDIN`.
    CopyIn {
        /// The lines behind it, `\.` and its line end included.
        data: Span,
    },
}

/// One statement of a script. Never one that begins or ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// From its first token to its `;` (or its last token, when there is none).
    pub span: Span,
    /// What it needs.
    pub kind: StatementKind,
}

impl Statement {
    /// Its SQL and, for a COPY, the data behind it.
    pub fn whole(&self) -> Span {
        match self.kind {
            StatementKind::CopyIn { data } => Span::new(self.span.start, data.end),
            _ => self.span,
        }
    }
}

/// What is done and recorded at once.
///
/// Made by [`crate::parse`], which takes care that the statements are there and
/// that there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// One statement outside of any transaction of ours, by its index: one that
    /// cannot run in one, or that only changes the session.
    Bare(usize),
    /// Statements in one transaction, together with the record of them.
    Segment(Block),
}

/// Statements that follow each other in one transaction; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The modes of the script's own `BEGIN`, for ours; may be empty.
    pub modes: String,
    /// Their indexes.
    pub statements: Range<usize>,
}

impl Step {
    /// The indexes of its statements.
    pub fn statements(&self) -> Range<usize> {
        match self {
            Self::Bare(statement) => *statement..statement + 1,
            Self::Segment(block) => block.statements.clone(),
        }
    }

    /// The number, from 1, of its first statement: its name in the ledger.
    pub fn number(&self) -> usize {
        self.statements().start + 1
    }
}

/// How a script is sent to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// All of it in one transaction of ours.
    Transaction {
        /// The modes of the script's own `BEGIN`, for ours; may be empty.
        modes: String,
    },
    /// Step by step, each recorded. Together they are all statements, in order.
    Steps(Vec<Step>),
}

/// The up or the down script of a migration.
///
/// Never without a statement, and only with statements that its [`Execution`]
/// can run: whatever else was in the file became a [`super::Diagnostic`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Where it stands in the file.
    pub span: Span,
    /// The fingerprint of its tokens.
    pub checksum: Checksum,
    /// How it is run.
    pub execution: Execution,
    /// Its statements, in order.
    pub statements: Vec<Statement>,
    /// What is not sent, in order: its own `BEGIN`s and `COMMIT`s, which
    /// `execution` stands for, and the lines that only psql needs.
    pub left_out: Vec<Span>,
}

/// A part of a transaction: what can be sent at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// SQL.
    Sql {
        /// Where it stands, with the comments around it; empty when there is no
        /// statement in it.
        span: Span,
        /// The indexes of the statements in it; may be none.
        statements: Range<usize>,
    },
    /// One `COPY … FROM STDIN`.
    Copy {
        /// Its index.
        statement: usize,
        /// Its data, without the `\.` behind them.
        data: Span,
    },
}

impl Script {
    /// The text of `span` as it is sent, with what is left out replaced by blanks,
    /// character by character, so that the server's error positions still fit the
    /// file.
    pub fn text(&self, source: &Source, span: Span) -> String {
        let mut text = String::with_capacity(span.len());
        let mut at = span.start;
        let from = self.left_out.partition_point(|it| it.end <= span.start);
        for hidden in self.left_out[from..].iter().take_while(|it| it.start < span.end) {
            let hidden = Span::new(hidden.start.max(at), hidden.end.min(span.end));
            text.push_str(source.slice(Span::new(at, hidden.start)));
            let blank = |c| if c == '\n' { c } else { ' ' };
            text.extend(source.slice(hidden).chars().map(blank));
            at = hidden.end;
        }
        text.push_str(source.slice(Span::new(at, span.end)));
        text
    }

    /// All of its text as it is sent.
    pub fn sql(&self, source: &Source) -> String {
        self.text(source, self.span)
    }

    /// All of its statements in one transaction with `modes`.
    pub fn in_one_block(&self, modes: &str) -> Block {
        Block { modes: modes.to_owned(), statements: 0..self.statements.len() }
    }

    /// The parts of `block`: SQL first and last, and a COPY between each two.
    pub fn parts(&self, source: &Source, block: &Block) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut first = block.statements.start;
        for statement in block.statements.clone() {
            if let StatementKind::CopyIn { data } = self.statements[statement].kind {
                parts.push(self.sql_part(first..statement));
                parts.push(Part::Copy { statement, data: without_end(source, data) });
                first = statement + 1;
            }
        }
        parts.push(self.sql_part(first..block.statements.end));
        parts
    }

    /// The statements with what stands before, between and behind them.
    fn sql_part(&self, statements: Range<usize>) -> Part {
        let before = statements.start.checked_sub(1).and_then(|at| self.statements.get(at));
        let begin = before.map_or(self.span.start, |before| before.whole().end);
        let behind = self.statements.get(statements.end);
        let end = behind.map_or(self.span.end, |behind| behind.span.start);
        let span = if statements.is_empty() { Span::at(begin) } else { Span::new(begin, end) };
        Part::Sql { span, statements }
    }

    /// The step that an earlier run recorded under `number`, the number (from 1)
    /// of its first statement.
    pub fn step(&self, number: usize) -> Option<&Step> {
        self.steps().iter().find(|step| step.number() == number)
    }

    /// From the first statement of `step` to the end of its last.
    pub fn span_of(&self, step: &Step) -> Span {
        let statements = &self.statements[step.statements()];
        match (statements.first(), statements.last()) {
            (Some(first), Some(last)) => Span::new(first.span.start, last.whole().end),
            _ => Span::at(self.span.start),
        }
    }

    /// True when it cannot run in one transaction.
    pub fn is_non_transactional(&self) -> bool {
        matches!(self.execution, Execution::Steps(_))
    }

    /// Its steps, in order; none when it runs in one transaction.
    pub fn steps(&self) -> &[Step] {
        match &self.execution {
            Execution::Steps(steps) => steps,
            Execution::Transaction { .. } => &[],
        }
    }

    /// The steps that are recorded: all but those that only change the session.
    pub fn recorded_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps().iter().filter(|step| !self.changes_the_session(step))
    }

    /// True for a step that only changes the session.
    pub fn changes_the_session(&self, step: &Step) -> bool {
        match step {
            Step::Bare(statement) => self.statements[*statement].kind == StatementKind::Session,
            Step::Segment(_) => false,
        }
    }

    /// True when a part of it runs in no transaction at all.
    pub fn has_bare_statements(&self) -> bool {
        self.recorded_steps().any(|step| matches!(step, Step::Bare(_)))
    }
}

/// `data` without its last line, `\.`: the protocol ends the data itself.
fn without_end(source: &Source, data: Span) -> Span {
    let text = source.slice(data).trim_end_matches(['\n', '\r']);
    let lines = text.strip_suffix("\\.").unwrap_or(text);
    Span::new(data.start, data.start + lines.len())
}
