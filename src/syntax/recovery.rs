//! What can be found out about a statement outside of any transaction when nobody
//! saw its end.
//!
//! PostgreSQL runs these in several transactions of its own, so one that was ended
//! in the middle leaves something behind: an INVALID index, a partition half
//! detached. Read from the leading words, as everything that decides how a
//! statement is run.

use super::statements::{StatementTokens, statements};
use super::token::lex;
use super::words::{Words, unquoted};

/// How to tell whether a statement did its work. Names are as they are written,
/// perhaps quoted and qualified, unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing in the catalogue tells; somebody has to look.
    Ask,
    /// It need not be told: a second time does no harm.
    Repeat,
    /// `CREATE INDEX CONCURRENTLY`.
    CreateIndex(Box<WantedIndex>),
    /// `DROP INDEX CONCURRENTLY` of this one.
    DropIndex(String),
    /// `REINDEX … CONCURRENTLY`. A second time does no harm, but the first may
    /// have left INVALID indexes, suffixed `_ccnew` or `_ccold`.
    Reindex(Scope),
    /// `ALTER TABLE parent DETACH PARTITION partition CONCURRENTLY`.
    Detach {
        /// The partitioned table.
        parent: String,
        /// What is detached from it.
        partition: String,
    },
    /// `CREATE DATABASE` or `CREATE TABLESPACE`.
    CreateShared(Shared),
    /// `DROP DATABASE` or `DROP TABLESPACE`.
    DropShared(Shared),
}

/// The index that a statement makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedIndex {
    /// Its name as PostgreSQL stores it. It is in the schema of its table.
    pub index: String,
    /// Its table.
    pub table: String,
    /// Its table's name without the schema.
    pub bare_table: String,
    /// It refuses duplicates.
    pub unique: bool,
    /// An index of that name is enough for the statement.
    pub if_not_exists: bool,
    /// What stands behind the table's name, as it is written.
    pub definition: String,
}

/// What a `REINDEX` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One index.
    Index(String),
    /// One table, its partitions and its TOAST table.
    Table(String),
    /// Everything in a schema; its name as PostgreSQL stores it.
    Schema(String),
    /// Everything in the database.
    Database,
}

/// What belongs to the whole server; its name as PostgreSQL stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shared {
    /// A database.
    Database(String),
    /// A tablespace.
    Tablespace(String),
}

/// How to tell what became of `sql`, one statement.
pub fn recovery_of(sql: &str) -> Recovery {
    let lexed = lex(sql);
    let Some(statement) = statements(sql, &lexed.tokens).first().copied() else {
        return Recovery::Ask;
    };
    let words = Words::of(statement);
    let found = match words.get(0) {
        "create" => create(statement, &words),
        "drop" => drop(&words),
        "alter" => alter(&words),
        "reindex" => reindex(&words),
        "vacuum" | "cluster" | "analyze" | "checkpoint" => Some(Recovery::Repeat),
        _ => None,
    };
    found.unwrap_or(Recovery::Ask)
}

/// `CREATE [UNIQUE] INDEX CONCURRENTLY [[IF NOT EXISTS] name] ON [ONLY] table`. What
/// name the server gives to one without, nobody can say.
fn create(statement: StatementTokens<'_>, words: &Words) -> Option<Recovery> {
    if words.get(1) == "database" || words.get(1) == "tablespace" {
        return shared(words, 2).map(Recovery::CreateShared);
    }
    let unique = words.get(1) == "unique";
    let at = 1 + usize::from(unique);
    if !words.are(at, &["index", "concurrently"]) || words.get(at + 2) == "on" {
        return None;
    }
    let if_not_exists = words.are(at + 2, &["if", "not", "exists"]);
    let (index, on) = words.name(at + if if_not_exists { 5 } else { 2 })?;
    let only = usize::from(words.get(on + 1) == "only");
    let (table, behind) = words.name(on + 1 + only).filter(|_| words.get(on) == "on")?;
    let end = statement.significant().last()?.span().end;
    Some(Recovery::CreateIndex(Box::new(WantedIndex {
        index: unquoted(&index),
        table,
        bare_table: words.get(behind - 1).to_owned(),
        unique,
        if_not_exists,
        definition: statement.source()[words.span_from(behind).start..end].to_owned(),
    })))
}

fn drop(words: &Words) -> Option<Recovery> {
    let if_exists = |at| if words.are(at, &["if", "exists"]) { at + 2 } else { at };
    if words.are(1, &["index", "concurrently"]) {
        return words.name(if_exists(3)).map(|(index, _)| Recovery::DropIndex(index));
    }
    shared(words, if_exists(2)).map(Recovery::DropShared)
}

/// The database or the tablespace whose name stands at `at`.
fn shared(words: &Words, at: usize) -> Option<Shared> {
    let name = || words.name(at).map(|(name, _)| unquoted(&name));
    match words.get(1) {
        "database" => name().map(Shared::Database),
        "tablespace" => name().map(Shared::Tablespace),
        _ => None,
    }
}

/// `ALTER TABLE [IF EXISTS] [ONLY] parent DETACH PARTITION partition CONCURRENTLY`.
/// Of the other forms, those that set something may set it twice.
fn alter(words: &Words) -> Option<Recovery> {
    let sets = words.get(1) == "system" || words.get(1) == "database";
    if sets && !words.contains("rename") {
        return Some(Recovery::Repeat);
    }
    let at = if words.are(2, &["if", "exists"]) { 4 } else { 2 };
    let at = at + usize::from(words.get(at) == "only");
    let (parent, behind) = words.name(at).filter(|_| words.get(1) == "table")?;
    let (partition, end) = words.name(behind + 2)?;
    let is_detach = words.are(behind, &["detach", "partition"]) && words.get(end) == "concurrently";
    is_detach.then_some(Recovery::Detach { parent, partition })
}

/// `REINDEX [(options)] INDEX|TABLE|SCHEMA|DATABASE|SYSTEM [CONCURRENTLY] [name]`.
fn reindex(words: &Words) -> Option<Recovery> {
    if !words.contains("concurrently") {
        return Some(Recovery::Repeat);
    }
    let options = (1..words.texts.len()).find(|at| words.get(*at) == ")");
    let at = if words.get(1) == "(" { options? + 1 } else { 1 };
    let concurrently = usize::from(words.get(at + 1) == "concurrently");
    let name = || words.name(at + 1 + concurrently).map(|(name, _)| name);
    let scope = match words.get(at) {
        "index" => Scope::Index(name()?),
        "table" => Scope::Table(name()?),
        "schema" => Scope::Schema(unquoted(&name()?)),
        _ => Scope::Database,
    };
    Some(Recovery::Reindex(scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unique one has `IF NOT EXISTS` here, too.
    fn index(index: &str, (table, bare): (&str, &str), unique: bool, definition: &str) -> Recovery {
        Recovery::CreateIndex(Box::new(WantedIndex {
            index: index.into(),
            table: table.into(),
            bare_table: bare.into(),
            unique,
            if_not_exists: unique,
            definition: definition.into(),
        }))
    }

    fn detach(parent: &str, partition: &str) -> Recovery {
        Recovery::Detach { parent: parent.into(), partition: partition.into() }
    }

    #[test]
    fn what_a_statement_leaves_is_named() {
        let long = format!("\"{}\"", "é\"\"".repeat(21));
        let cases = [
            (
                "create unique index concurrently if not exists I on only s.T using gin (a)",
                index("i", ("s.t", "t"), true, "using gin (a)"),
            ),
            (
                "CREATE INDEX CONCURRENTLY \"My\"\"I\" ON \"S\".t(a) ; ",
                index("My\"I", ("\"S\".t", "t"), false, "(a)"),
            ),
            (
                &format!("CREATE INDEX CONCURRENTLY {long} ON t (a)"),
                index(&"é\"".repeat(21), ("t", "t"), false, "(a)"),
            ),
            ("CREATE INDEX CONCURRENTLY ON t(a)", Recovery::Ask),
            ("CREATE INDEX CONCURRENTLY U&\"d\" ON t(a)", Recovery::Ask),
            ("CREATE INDEX IF NOT EXISTS i ON t(a)", Recovery::Ask),
            ("DROP INDEX CONCURRENTLY IF EXISTS S.i CASCADE", Recovery::DropIndex("s.i".into())),
            ("DROP INDEX CONCURRENTLY \"I\"", Recovery::DropIndex("\"I\"".into())),
            ("REINDEX INDEX CONCURRENTLY s.i", Recovery::Reindex(Scope::Index("s.i".into()))),
            (
                "REINDEX (VERBOSE, CONCURRENTLY on) TABLE \"T\"",
                Recovery::Reindex(Scope::Table("\"T\"".into())),
            ),
            ("REINDEX SCHEMA CONCURRENTLY S", Recovery::Reindex(Scope::Schema("s".into()))),
            ("REINDEX DATABASE CONCURRENTLY", Recovery::Reindex(Scope::Database)),
            ("REINDEX SCHEMA s", Recovery::Repeat),
            ("ALTER TABLE p DETACH PARTITION s.x CONCURRENTLY", detach("p", "s.x")),
            ("ALTER TABLE IF EXISTS ONLY a.p DETACH PARTITION x CONCURRENTLY;", detach("a.p", "x")),
            ("ALTER TABLE p DETACH PARTITION x", Recovery::Ask),
            ("ALTER TABLE p ADD COLUMN c int", Recovery::Ask),
            ("ALTER SYSTEM SET work_mem = 1", Recovery::Repeat),
            ("CREATE DATABASE D", Recovery::CreateShared(Shared::Database("d".into()))),
            ("DROP TABLESPACE IF EXISTS x", Recovery::DropShared(Shared::Tablespace("x".into()))),
            ("ALTER DATABASE d RENAME TO e", Recovery::Ask),
            ("DROP TABLE t", Recovery::Ask),
            ("VACUUM (FULL) t", Recovery::Repeat),
            ("CALL p()", Recovery::Ask),
            ("", Recovery::Ask),
        ];
        for (sql, expected) in cases {
            assert_eq!(recovery_of(sql), expected, "{sql}");
        }
    }
}
