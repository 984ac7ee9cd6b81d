//! The SQL of one section, cut into statements.

use super::checksum::Checksum;
use super::source::{Source, Span};

/// A statement that touches the transaction it runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionControl {
    /// `BEGIN` or `START TRANSACTION`; the span holds its modes, such as
    /// `ISOLATION LEVEL SERIALIZABLE`, and is empty when there are none.
    Begin {
        /// Where the modes stand.
        modes: Span,
    },
    /// `COMMIT` or `END`, without `AND CHAIN`.
    Commit,
    /// `COMMIT AND CHAIN`, a whole `ROLLBACK`, `PREPARE TRANSACTION`,
    /// `SET TRANSACTION` and their spellings.
    Other(&'static str),
}

/// What running a statement needs or does beyond its SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// Runs in a transaction or outside.
    Plain,
    /// `SET`, `RESET` or `SELECT set_config(…)` of one setting: changes the session, not the database,
    /// and is repeated when an interrupted script is resumed.
    Session,
    /// Cannot run in a transaction block; says what it is, such as
    /// `CREATE INDEX CONCURRENTLY`.
    NonTransactional(&'static str),
    /// Ends or shapes the transaction.
    Transaction(TransactionControl),
    /// `RESET ALL` or `DISCARD ALL`: undoes what keeps a run safe.
    SessionReset(&'static str),
    /// `COPY` from the client or to it.
    Copy(&'static str),
}

/// One statement of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// From its first token to its `;` (or its last token, when there is none).
    pub span: Span,
    /// What it needs.
    pub kind: StatementKind,
}

/// How a script is sent to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// Whole, in one transaction of ours.
    Transaction {
        /// The modes of the script's own `BEGIN`, for ours; may be empty.
        modes: String,
        /// The script's own enclosing `BEGIN` and `COMMIT`, to be left out.
        left_out: Vec<Span>,
    },
    /// Statement by statement, each on its own and recorded.
    Statements,
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
}

impl Script {
    /// The text to send, with what is left out replaced by blanks, character by
    /// character, so that the server's error positions still fit the file.
    pub fn sql(&self, source: &Source) -> String {
        let text = source.slice(self.span);
        let Execution::Transaction { left_out, .. } = &self.execution else {
            return text.to_owned();
        };
        let hidden = |at: usize| left_out.iter().any(|span| span.start <= at && at < span.end);
        if left_out.is_empty() {
            return text.to_owned();
        }
        text.char_indices()
            .map(|(at, c)| if c != '\n' && hidden(self.span.start + at) { ' ' } else { c })
            .collect()
    }

    /// True when it cannot run in one transaction.
    pub fn is_non_transactional(&self) -> bool {
        self.execution == Execution::Statements
    }
}
