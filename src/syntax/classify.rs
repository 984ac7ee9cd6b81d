//! What a statement needs beyond its SQL, read from its leading words.
//!
//! The list of statements that cannot run in a transaction block was made by
//! running each on PostgreSQL 13 to 18 (`docs/design/transactions.md`).

use super::copy::{self, CopyIn};
use super::statements::StatementTokens;
use super::words::Words;
use crate::model::{Span, StatementKind};

use StatementKind::{NonTransactional, Plain, Session, Undecided};

/// What a statement is to whoever runs the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is sent, and needs this.
    Runs(StatementKind),
    /// It begins, ends or shapes a transaction.
    Control(Control),
    /// `RESET ALL` or `DISCARD ALL`: undoes what keeps a run safe.
    SessionReset(&'static str),
    /// A COPY that cannot be sent.
    Unfit(CopyIn),
}

/// A statement that is about the transaction it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// `BEGIN` or `START TRANSACTION`; the span holds its modes, such as
    /// `ISOLATION LEVEL SERIALIZABLE`, and is empty when there are none.
    Begin {
        /// Where the modes stand.
        modes: Span,
    },
    /// `COMMIT` or `END`.
    Commit {
        /// With `AND CHAIN`, which begins the next one with the same modes.
        chain: bool,
    },
    /// `ROLLBACK` or `ABORT` of the whole transaction.
    Rollback,
    /// `PREPARE TRANSACTION`.
    Prepare,
    /// `SET TRANSACTION`.
    SetTransaction {
        /// Where the modes stand; `None` for a `SNAPSHOT`, which `BEGIN` does not
        /// take.
        modes: Option<Span>,
    },
}

/// What `statement` is.
pub(super) fn meaning_of(statement: StatementTokens<'_>) -> Meaning {
    let words = Words::of(statement);
    match words.get(0) {
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "prepare" => {
            transaction(&words)
        }
        "set" | "reset" | "discard" => session(&words),
        "copy" => match copy::of_client(statement) {
            None => Meaning::Runs(Plain),
            Some(CopyIn::Data(data)) => Meaning::Runs(StatementKind::CopyIn { data }),
            Some(unfit) => Meaning::Unfit(unfit),
        },
        "do" => Meaning::Runs(anonymous_block(statement)),
        _ => Meaning::Runs(kind_of(&words)),
    }
}

fn kind_of(words: &Words) -> StatementKind {
    match words.get(0) {
        "create" => create(words),
        "drop" => drop(words),
        "alter" => alter(words),
        "vacuum" => NonTransactional("VACUUM"),
        "reindex" => reindex(words),
        "cluster" => cluster(words),
        "call" => Undecided,
        "load" => Session,
        "select" if sets_a_setting(words) => Session,
        _ => Plain,
    }
}

/// <https://www.postgresql.org/docs/current/sql-begin.html> and its neighbours.
fn transaction(words: &Words) -> Meaning {
    use Control::{Begin, Commit, Prepare, Rollback};
    // BEGIN, COMMIT, END, ROLLBACK and ABORT may be followed by one of these.
    let noise = usize::from(matches!(words.get(1), "work" | "transaction"));
    let rest = 1 + noise;
    let control = match words.get(0) {
        "begin" => Begin { modes: words.span_from(rest) },
        "start" if words.get(1) == "transaction" => Begin { modes: words.span_from(2) },
        "commit" if words.get(1) == "prepared" => {
            return Meaning::Runs(NonTransactional("COMMIT PREPARED"));
        }
        "rollback" if words.get(1) == "prepared" => {
            return Meaning::Runs(NonTransactional("ROLLBACK PREPARED"));
        }
        "commit" | "end" => {
            Commit { chain: words.get(rest) == "and" && words.get(rest + 1) == "chain" }
        }
        "rollback" if words.get(rest) == "to" => return Meaning::Runs(Plain),
        "rollback" | "abort" => Rollback,
        "prepare" if words.get(1) == "transaction" => Prepare,
        _ => return Meaning::Runs(Plain),
    };
    Meaning::Control(control)
}

fn session(words: &Words) -> Meaning {
    let scope = usize::from(matches!(words.get(1), "session" | "local"));
    match (words.get(0), words.get(1 + scope)) {
        ("set", "transaction") => {
            let modes = words.span_from(2 + scope);
            let modes = (words.get(2 + scope) != "snapshot").then_some(modes);
            Meaning::Control(Control::SetTransaction { modes })
        }
        ("set", "constraints") => Meaning::Runs(Plain),
        ("set", _) if words.get(1) == "local" => Meaning::Runs(Plain),
        ("reset", "all") => Meaning::SessionReset("RESET ALL"),
        ("discard", "all") => Meaning::SessionReset("DISCARD ALL"),
        ("set" | "reset", _) => Meaning::Runs(Session),
        _ => Meaning::Runs(Plain),
    }
}

/// `SELECT pg_catalog.set_config('name', 'value', false)` and nothing more, as
/// `pg_dump` writes it.
fn sets_a_setting(words: &Words) -> bool {
    let qualified = words.get(1) == "pg_catalog" && words.get(2) == ".";
    let name = if qualified { 3 } else { 1 };
    let literal = |at: usize| words.get(at).starts_with('\'');
    words.get(name) == "set_config"
        && words.get(name + 1) == "("
        && literal(name + 2)
        && words.get(name + 3) == ","
        && literal(name + 4)
        && words.get(name + 5) == ","
        && words.get(name + 6) == "false"
        && words.get(name + 7) == ")"
        && words.texts.len() == name + 8
}

/// A block can end a transaction only where its text says so: `EXECUTE` takes no
/// transaction control.
fn anonymous_block(statement: StatementTokens<'_>) -> StatementKind {
    let mut texts = statement.significant().map(|token| token.text(statement.source()));
    let may_end = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["commit", "rollback", "call"].iter().any(|word| text.contains(word))
    };
    if texts.any(may_end) { Undecided } else { Plain }
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
        Undecided
    }
}

/// Only `CLUSTER` of everything: no table is named.
fn cluster(words: &Words) -> StatementKind {
    let everything = words.texts.len() == 1
        || words.texts.len() == 2 && words.are(0, &["cluster", "verbose"])
        || words.get(1) == "(" && words.texts.last().is_some_and(|last| last == ")");
    if everything { NonTransactional("CLUSTER of all tables") } else { Undecided }
}

#[cfg(test)]
mod tests {
    use super::super::{lex, statements};
    use super::*;

    fn meaning(text: &str) -> Meaning {
        let lexed = lex(text);
        statements(text, &lexed.tokens)[0].meaning()
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
            let found = meaning(text);
            assert!(matches!(found, Meaning::Runs(NonTransactional(_))), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_can_run_in_a_transaction_is_plain() {
        let inside = [
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "CREATE INDEX \"concurrently\" ON t (a)",
            "ANALYZE t",
            "DO $$ BEGIN PERFORM f(); END $$",
            "SELECT set_config('a.b', f(), false)",
            "SELECT set_config('a.b', 'x', true)",
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
            assert_eq!(meaning(text), Meaning::Runs(Plain), "{text}");
        }
        let undecided = [
            "REINDEX TABLE t",
            "CLUSTER t USING i",
            "CALL p()",
            "DO $$ BEGIN COMMIT; END $$",
            "DO LANGUAGE plpgsql 'BEGIN Call p(); END'",
        ];
        for text in undecided {
            assert_eq!(meaning(text), Meaning::Runs(Undecided), "{text}");
        }
    }

    #[test]
    fn transaction_and_session_control_is_recognised() {
        use Control::{Begin, Commit, Prepare, Rollback, SetTransaction};
        let modes = |text: &str, from: usize| Span::new(from, text.len());
        let (start, work) = ("START TRANSACTION READ WRITE", "begin work isolation level x");
        let (set, local) = ("SET TRANSACTION READ WRITE", "SET LOCAL TRANSACTION READ WRITE");
        let controls = [
            ("BEGIN", Begin { modes: Span::default() }),
            (start, Begin { modes: modes(start, 18) }),
            (work, Begin { modes: modes(work, 11) }),
            ("COMMIT WORK", Commit { chain: false }),
            ("END", Commit { chain: false }),
            ("COMMIT AND NO CHAIN", Commit { chain: false }),
            ("END TRANSACTION AND CHAIN", Commit { chain: true }),
            ("ROLLBACK", Rollback),
            ("ROLLBACK AND CHAIN", Rollback),
            ("abort work", Rollback),
            ("PREPARE TRANSACTION 'x'", Prepare),
            (set, SetTransaction { modes: Some(modes(set, 16)) }),
            (local, SetTransaction { modes: Some(modes(local, 22)) }),
            ("SET TRANSACTION SNAPSHOT '1'", SetTransaction { modes: None }),
        ];
        for (text, expected) in controls {
            assert_eq!(meaning(text), Meaning::Control(expected), "{text}");
        }
        let others = [
            ("SET search_path = x", Meaning::Runs(Session)),
            ("SET SESSION work_mem = 1", Meaning::Runs(Session)),
            ("SELECT pg_catalog.set_config('search_path', '', false);", Meaning::Runs(Session)),
            ("RESET ALL", Meaning::SessionReset("RESET ALL")),
            ("DISCARD ALL", Meaning::SessionReset("DISCARD ALL")),
            ("COPY t TO STDOUT (FORMAT csv)", Meaning::Unfit(CopyIn::ToClient)),
        ];
        for (text, expected) in others {
            assert_eq!(meaning(text), expected, "{text}");
        }
    }
}
