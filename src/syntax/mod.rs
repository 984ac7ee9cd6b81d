//! PostgreSQL's lexical structure, and the verdict of a full parser.
//!
//! Statement boundaries, transaction control and checksums come from tokens
//! alone, as in psql: that is fast, and never loses text. The tree is asked only
//! whether a script is valid ([`check`]). Together with `sql/` this is the only
//! room that knows the parser crate (squawk).

mod check;
mod classify;
mod copy;
mod nesting;
mod recovery;
mod safety;
mod session;
mod statements;
mod taking;
mod token;
mod words;

pub use check::{SyntaxError, Tree, check, on_large_stack, parse};
pub use classify::{Control, Meaning};
pub use copy::{CopyIn, copied_table};
pub use recovery::{Recovery, Scope, Shared, WantedIndex, recovery_of};
pub use safety::{Endless, LinterFailed, Violation, endless, repeatable, violations};
pub use session::custom_settings;
pub use statements::{StatementTokens, statements};
pub use taking::takings;
pub use token::{Lexed, Token, TokenKind, Unterminated, lex};
pub use words::words;
