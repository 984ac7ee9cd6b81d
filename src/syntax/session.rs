//! What a statement may leave in its session, which a resumed script would lack.

use super::statements::statements;
use super::token::lex;
use super::words::Words;
use crate::model::{Migration, StatementKind, Step};

/// Verbs whose statements change the database and not the session. That a trigger or
/// a function in one of them does is not thought of.
const HARMLESS: [&str; 26] = [
    "alter",
    "analyze",
    "checkpoint",
    "cluster",
    "comment",
    "copy",
    "create",
    "delete",
    "drop",
    "grant",
    "import",
    "insert",
    "lock",
    "merge",
    "notify",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "revoke",
    "rollback",
    "savepoint",
    "security",
    "truncate",
    "update",
    "vacuum",
];

/// True unless `sql`, one statement, surely leaves nothing in its session but what
/// [`crate::model::StatementKind::Session`] says: no temporary table, no setting made
/// by a function or a block. `ALTER DATABASE … SET` counts too: a later session has
/// another value than the one in which it ran.
fn may_change(sql: &str) -> bool {
    let lexed = lex(sql);
    let Some(statement) = statements(sql, &lexed.tokens).first().copied() else { return false };
    let words = Words::of(statement);
    let temporary = ["temp", "temporary", "pg_temp", "set_config"];
    if temporary.iter().any(|word| words.contains(word)) {
        return true;
    }
    match words.get(0) {
        "alter" => ["database", "role", "user", "system"].contains(&words.get(1)),
        "set" | "reset" => false,
        verb => !HARMLESS.contains(&verb),
    }
}

/// Whether the session behind `step` may be another than the script says.
pub fn may_change_session(migration: &Migration, step: &Step) -> bool {
    let statements = &migration.up.statements[step.statements()];
    statements.iter().any(|statement| {
        statement.kind != StatementKind::Session
            && may_change(migration.source.slice(statement.span))
    })
}

/// The number of the last such step among the first `completed` statements.
pub fn last_change_of_session(migration: &Migration, completed: usize) -> Option<usize> {
    let mut done = migration.up.steps().iter().rev();
    let may =
        |step: &&Step| step.statements().end <= completed && may_change_session(migration, step);
    done.find(may).map(Step::number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_last_is_told_from_what_does_not() {
        let may = [
            "CREATE TEMP TABLE t (a int)",
            "create local temporary view v as select 1",
            "CREATE TABLE pg_temp.t (a int)",
            "SELECT 1 INTO TEMP t",
            "SELECT set_config('search_path', 'a' || 'b', false)",
            "INSERT INTO t SELECT set_config('a.b', 'c', false)",
            "DO $$BEGIN END$$",
            "CALL p()",
            "PREPARE p AS SELECT 1",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "LISTEN l",
            "ALTER DATABASE d SET search_path = s",
            "ALTER ROLE r RESET ALL",
            "WITH x AS (SELECT f()) SELECT * FROM x",
        ];
        let does_not = [
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "CREATE TABLE temporaries (temp_a int)",
            "ALTER TABLE t ADD COLUMN c int",
            "INSERT INTO t VALUES ('temp')",
            "REINDEX TABLE CONCURRENTLY t",
            "SET search_path = a",
            "/* DO */ drop table t",
            "",
        ];
        for sql in may {
            assert!(may_change(sql), "{sql}");
        }
        for sql in does_not {
            assert!(!may_change(sql), "{sql}");
        }
    }
}
