//! What a statement needs beyond its SQL, read from its leading words.
//!
//! The list of statements that cannot run in a transaction block was made by
//! running each on PostgreSQL 13 to 18 (`docs/design/transactions.md`).

use super::statements::{StatementTokens, statements};
use super::token::{Token, TokenKind, lex};
use crate::model::{Span, StatementKind, TransactionControl};

use StatementKind::{Copy, NonTransactional, Plain, Session, SessionReset, Transaction};

/// As many tokens as any of the decisions below looks at, a table's name and
/// options included.
const LOOK_AHEAD: usize = 64;

/// What running `statement` needs.
pub(super) fn kind_of(statement: StatementTokens<'_>) -> StatementKind {
    let words = Words::of(statement);
    match words.get(0) {
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "prepare" => {
            transaction(&words)
        }
        "set" | "reset" | "discard" => session(&words),
        "select" if sets_config(&words) => Session,
        "copy" => copy(statement),
        "create" => create(&words),
        "drop" => drop(&words),
        "alter" => alter(&words),
        "vacuum" => NonTransactional("VACUUM"),
        "reindex" => reindex(&words),
        "cluster" => cluster(&words),
        _ => Plain,
    }
}

/// The first tokens of a statement, words in lower case, anything else as it is.
struct Words {
    texts: Vec<String>,
    tokens: Vec<Token>,
}

impl Words {
    fn of(statement: StatementTokens<'_>) -> Self {
        let tokens: Vec<_> = statement.significant().take(LOOK_AHEAD).collect();
        let text = |token: &Token| match token.kind {
            TokenKind::Word => token.text(statement.source()).to_ascii_lowercase(),
            // A quoted name is never a keyword: keep its quotes.
            _ => token.text(statement.source()).chars().take(64).collect(),
        };
        Self { texts: tokens.iter().map(text).collect(), tokens }
    }

    /// The word at `at`, or nothing.
    fn get(&self, at: usize) -> &str {
        self.texts.get(at).map_or("", String::as_str)
    }

    fn starts_with(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.get(at) == *word)
    }

    fn contains(&self, word: &str) -> bool {
        self.texts.iter().any(|text| text == word)
    }

    /// Where the tokens from `from` on stand; empty when there are none.
    fn span_from(&self, from: usize) -> Span {
        match (self.tokens.get(from), self.tokens.last()) {
            (Some(first), Some(last)) => Span::new(first.span().start, last.span().end),
            _ => Span::default(),
        }
    }
}

/// <https://www.postgresql.org/docs/current/sql-begin.html> and its neighbours.
fn transaction(words: &Words) -> StatementKind {
    use TransactionControl::{Begin, Commit, Other};
    // BEGIN, COMMIT, END, ROLLBACK and ABORT may be followed by one of these.
    let noise = usize::from(matches!(words.get(1), "work" | "transaction"));
    let rest = 1 + noise;
    match words.get(0) {
        "begin" => Transaction(Begin { modes: words.span_from(rest) }),
        "start" if words.get(1) == "transaction" => {
            Transaction(Begin { modes: words.span_from(2) })
        }
        "commit" if words.get(1) == "prepared" => NonTransactional("COMMIT PREPARED"),
        "rollback" if words.get(1) == "prepared" => NonTransactional("ROLLBACK PREPARED"),
        "commit" | "end" if words.get(rest) == "and" && words.get(rest + 1) == "chain" => {
            Transaction(Other("COMMIT AND CHAIN"))
        }
        "commit" | "end" => Transaction(Commit),
        "rollback" if words.get(rest) == "to" => Plain,
        "rollback" | "abort" => Transaction(Other("ROLLBACK")),
        "prepare" if words.get(1) == "transaction" => Transaction(Other("PREPARE TRANSACTION")),
        _ => Plain,
    }
}

fn session(words: &Words) -> StatementKind {
    let scope = usize::from(matches!(words.get(1), "session" | "local"));
    match (words.get(0), words.get(1 + scope)) {
        ("set", "transaction") => Transaction(TransactionControl::Other("SET TRANSACTION")),
        ("set", "constraints") => Plain,
        ("set", _) if words.get(1) == "local" => Plain,
        ("reset", "all") => SessionReset("RESET ALL"),
        ("discard", "all") => SessionReset("DISCARD ALL"),
        ("set" | "reset", _) => Session,
        _ => Plain,
    }
}

/// `SELECT [pg_catalog.]set_config(…)`: pg_dump's way to say SET.
fn sets_config(words: &Words) -> bool {
    let schema = if words.get(1) == "pg_catalog" { 2 } else { 0 };
    words.get(1 + schema) == "set_config" && words.get(2 + schema) == "("
}

/// The direction stands outside the parentheses of a query, at any distance.
/// `STDIN` and `STDOUT` are interchangeable to the grammar.
fn copy(statement: StatementTokens<'_>) -> StatementKind {
    let source = statement.source();
    let mut depth = 0_usize;
    let mut direction = None;
    for token in statement.significant() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 => continue,
            _ => {}
        }
        let client = token.is_word(source, "stdin") || token.is_word(source, "stdout");
        if let Some(what) = direction.filter(|_| client) {
            return Copy(what);
        }
        direction = match () {
            () if token.is_word(source, "from") => Some("COPY … FROM STDIN"),
            () if token.is_word(source, "to") => Some("COPY … TO STDOUT"),
            () => None,
        };
    }
    Plain
}

fn create(words: &Words) -> StatementKind {
    let unique = usize::from(words.get(1) == "unique");
    match words.get(1 + unique) {
        "index" if words.get(2 + unique) == "concurrently" => {
            NonTransactional("CREATE INDEX CONCURRENTLY")
        }
        "database" => NonTransactional("CREATE DATABASE"),
        "tablespace" => NonTransactional("CREATE TABLESPACE"),
        // Creates its slot on the publisher unless told not to.
        "subscription"
            if !switched_off(words, "create_slot") && !switched_off(words, "connect") =>
        {
            NonTransactional("CREATE SUBSCRIPTION")
        }
        _ => Plain,
    }
}

/// True for `option = false` in any of PostgreSQL's spellings of a boolean.
fn switched_off(words: &Words, option: &str) -> bool {
    let Some(at) = words.texts.iter().position(|text| text == option) else { return false };
    let value = if words.get(at + 1) == "=" { words.get(at + 2) } else { words.get(at + 1) };
    matches!(value.trim_matches('\''), "false" | "off" | "0" | "no")
}

fn drop(words: &Words) -> StatementKind {
    match words.get(1) {
        "index" if words.get(2) == "concurrently" => NonTransactional("DROP INDEX CONCURRENTLY"),
        "database" => NonTransactional("DROP DATABASE"),
        "tablespace" => NonTransactional("DROP TABLESPACE"),
        "subscription" => NonTransactional("DROP SUBSCRIPTION"),
        _ => Plain,
    }
}

fn alter(words: &Words) -> StatementKind {
    match words.get(1) {
        "system" => NonTransactional("ALTER SYSTEM"),
        "database" if words.contains("set") && words.contains("tablespace") => {
            NonTransactional("ALTER DATABASE SET TABLESPACE")
        }
        "subscription"
            if ["refresh", "publication", "failover", "two_phase"]
                .iter()
                .any(|word| words.contains(word)) =>
        {
            NonTransactional("ALTER SUBSCRIPTION")
        }
        "table" if words.contains("detach") && words.contains("concurrently") => {
            NonTransactional("DETACH PARTITION CONCURRENTLY")
        }
        _ => Plain,
    }
}

/// `REINDEX [(options)] INDEX|TABLE|SCHEMA|DATABASE|SYSTEM [CONCURRENTLY] name`.
fn reindex(words: &Words) -> StatementKind {
    let target = ["schema", "database", "system"];
    if words.contains("concurrently") {
        NonTransactional("REINDEX CONCURRENTLY")
    } else if target.iter().any(|word| words.contains(word)) {
        NonTransactional("REINDEX of a schema or database")
    } else {
        Plain
    }
}

/// Only `CLUSTER` of everything: no table is named.
fn cluster(words: &Words) -> StatementKind {
    let everything = words.texts.len() == 1
        || words.texts.len() == 2 && words.starts_with(&["cluster", "verbose"])
        || words.get(1) == "(" && words.texts.last().is_some_and(|last| last == ")");
    if everything { NonTransactional("CLUSTER of all tables") } else { Plain }
}

/// The index that a `CREATE INDEX CONCURRENTLY IF NOT EXISTS` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexName {
    /// Its name as PostgreSQL stores it.
    pub name: String,
    /// Its table as it is written, perhaps qualified or quoted.
    pub table: String,
}

/// The index of `CREATE [UNIQUE] INDEX CONCURRENTLY IF NOT EXISTS name ON [ONLY]
/// table`; `None` for any other statement.
pub fn index_if_not_exists(sql: &str) -> Option<IndexName> {
    let lexed = lex(sql);
    let words = Words::of(*statements(sql, &lexed.tokens).first()?);
    let unique = usize::from(words.get(1) == "unique");
    let prefix = ["index", "concurrently", "if", "not", "exists"];
    let matches = |at: usize, word: &str| words.get(at) == word;
    let named = 6 + unique;
    let is_one = matches(0, "create")
        && prefix.iter().enumerate().all(|(at, word)| matches(1 + unique + at, word))
        && matches(named + 1, "on");
    if !is_one {
        return None;
    }
    let only = usize::from(matches(named + 2, "only"));
    let table: String = words.texts[named + 2 + only..]
        .iter()
        .take_while(|text| *text != "(" && *text != "using")
        .map(String::as_str)
        .collect();
    let written = words.get(named);
    let name = match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => written.to_owned(),
    };
    Some(IndexName { name, table })
}

#[cfg(test)]
mod tests {
    use super::super::{lex, statements};
    use super::*;

    fn kind(text: &str) -> StatementKind {
        let lexed = lex(text);
        statements(text, &lexed.tokens)[0].kind()
    }

    #[test]
    fn what_cannot_run_in_a_transaction_is_recognised() {
        let outside = [
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "create unique index /* x */ concurrently on t (a);",
            "DROP INDEX CONCURRENTLY IF EXISTS i",
            "REINDEX INDEX CONCURRENTLY i",
            "REINDEX (CONCURRENTLY, VERBOSE) TABLE t",
            "REINDEX SCHEMA s",
            "REINDEX DATABASE d",
            "VACUUM",
            "VACUUM (FULL) t",
            "CLUSTER",
            "CLUSTER VERBOSE",
            "ALTER SYSTEM SET work_mem = '1MB'",
            "CREATE DATABASE d",
            "DROP DATABASE d",
            "ALTER DATABASE d SET TABLESPACE x",
            "CREATE TABLESPACE x LOCATION '/x'",
            "DROP TABLESPACE x",
            "ALTER TABLE p DETACH PARTITION x CONCURRENTLY",
            "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p",
            "DROP SUBSCRIPTION s",
            "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
            "COMMIT PREPARED 'x'",
            "ROLLBACK PREPARED 'x'",
        ];
        for text in outside {
            assert!(matches!(kind(text), NonTransactional(_)), "{text}: {:?}", kind(text));
        }
    }

    #[test]
    fn the_index_of_if_not_exists_is_named() {
        let index = |name: &str, table: &str| {
            Some(IndexName { name: name.to_owned(), table: table.to_owned() })
        };
        let cases = [
            (
                "create unique index concurrently if not exists I on only s.T using gin (a)",
                index("i", "s.t"),
            ),
            (
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS \"My\"\"I\" ON \"S\".t(a);",
                index("My\"I", "\"S\".t"),
            ),
            ("CREATE INDEX CONCURRENTLY i ON t(a)", None),
            ("CREATE INDEX IF NOT EXISTS i ON t(a)", None),
        ];
        for (sql, expected) in cases {
            assert_eq!(index_if_not_exists(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_can_run_in_a_transaction_is_plain() {
        let inside = [
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "CREATE INDEX \"concurrently\" ON t (a)",
            "REINDEX TABLE t",
            "CLUSTER t USING i",
            "ANALYZE t",
            "ALTER DATABASE d SET work_mem = '1MB'",
            "ALTER TABLE p DETACH PARTITION x",
            "ALTER TABLE p DETACH PARTITION x FINALIZE",
            "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (create_slot = false)",
            "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (connect='off')",
            "ROLLBACK TO SAVEPOINT a",
            "ROLLBACK TRANSACTION TO a",
            "SAVEPOINT a",
            "RELEASE a",
            "PREPARE p AS SELECT 1",
            "SET LOCAL work_mem = '1MB'",
            "SET CONSTRAINTS ALL DEFERRED",
            "COPY t FROM '/x'",
            "COPY (SELECT 'x' FROM stdin) TO '/x'",
            "select begin from t",
        ];
        for text in inside {
            assert_eq!(kind(text), Plain, "{text}");
        }
    }

    #[test]
    fn transaction_and_session_control_is_recognised() {
        use TransactionControl::{Begin, Commit, Other};
        let begin = |text: &str, from: usize| {
            (text.to_owned(), Transaction(Begin { modes: Span::new(from, text.len()) }))
        };
        let cases = [
            ("BEGIN".to_owned(), Transaction(Begin { modes: Span::default() })),
            begin("START TRANSACTION READ WRITE", 18),
            begin("begin work isolation level serializable", 11),
            ("COMMIT WORK".to_owned(), Transaction(Commit)),
            ("END".to_owned(), Transaction(Commit)),
            ("COMMIT AND NO CHAIN".to_owned(), Transaction(Commit)),
            ("END TRANSACTION AND CHAIN".to_owned(), Transaction(Other("COMMIT AND CHAIN"))),
            ("ROLLBACK".to_owned(), Transaction(Other("ROLLBACK"))),
            ("abort work".to_owned(), Transaction(Other("ROLLBACK"))),
            ("PREPARE TRANSACTION 'x'".to_owned(), Transaction(Other("PREPARE TRANSACTION"))),
            ("SET TRANSACTION READ ONLY".to_owned(), Transaction(Other("SET TRANSACTION"))),
            ("SET LOCAL TRANSACTION READ ONLY".to_owned(), Transaction(Other("SET TRANSACTION"))),
            ("SET search_path = x".to_owned(), Session),
            ("SET SESSION work_mem = 1".to_owned(), Session),
            ("SELECT pg_catalog.set_config('search_path', '', false)".to_owned(), Session),
            ("select set_config('a.b', 'c', false)".to_owned(), Session),
            ("RESET ALL".to_owned(), SessionReset("RESET ALL")),
            ("DISCARD ALL".to_owned(), SessionReset("DISCARD ALL")),
            ("COPY t FROM STDIN".to_owned(), Copy("COPY … FROM STDIN")),
            ("COPY t TO STDOUT (FORMAT csv)".to_owned(), Copy("COPY … TO STDOUT")),
        ];
        for (text, expected) in cases {
            assert_eq!(kind(&text), expected, "{text}");
        }
    }
}
