//! Our tables in the database: what is applied, what was tried.

use std::time::SystemTime;

use jiff::Timestamp;
use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Row};

use super::error::reason;
use crate::engine::Receipt;
use crate::plan::{Applied, Started};

/// The version of the tables this migraph makes and understands.
const VERSION: i32 = 1;

/// How often creating the tables is tried when somebody else is creating the
/// same schema at that moment.
const CREATE_TRIES: usize = 3;

/// Where the ledger lives. The name is quoted wherever it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    schema: String,
    quoted: String,
}

/// Everything the ledger knows that a plan needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LedgerState {
    /// What is applied, in the order in which it was.
    pub applied: Vec<Applied>,
    /// Steps of migrations that do not run in one transaction, applied ones
    /// included, by migration and number.
    pub started: Vec<Started>,
}

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A newer migraph has changed the tables.
    #[error(
        "the ledger in schema `{schema}` has version {found}, and this migraph knows version {VERSION}"
    )]
    Newer {
        /// Where.
        schema: String,
        /// Its version.
        found: i32,
    },
    /// We may not create or read it.
    #[error("no right to use the ledger in schema `{schema}`: {reason}")]
    Forbidden {
        /// Where.
        schema: String,
        /// What the server said.
        reason: String,
    },
    /// The server takes no writes.
    #[error("the server is read-only: {reason}")]
    ReadOnly {
        /// What the server said.
        reason: String,
    },
    /// There are tables of that name that are not ours.
    #[error("schema `{schema}` holds tables that are no ledger of migraph: {reason}")]
    Foreign {
        /// Where.
        schema: String,
        /// What the server said.
        reason: String,
    },
    /// Anything else.
    #[error("the ledger in schema `{schema}` cannot be used: {reason}")]
    Database {
        /// Where.
        schema: String,
        /// What the server said.
        reason: String,
    },
}

impl LedgerError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Newer { .. } => {
                "run a migraph at least as new as the one that wrote it".to_owned()
            }
            Self::Forbidden { schema, .. } => format!(
                "connect as the user who owns it; where it does not exist yet, let the database's owner run `CREATE SCHEMA {} AUTHORIZATION your_user`",
                quoted(schema)
            ),
            Self::ReadOnly { .. } => {
                "connect to the primary server, and without default_transaction_read_only"
                    .to_owned()
            }
            Self::Foreign { .. } => "name another schema with `--ledger-schema`".to_owned(),
            Self::Database { .. } => "look at the tables and at the server's log".to_owned(),
        }
    }
}

impl Ledger {
    /// The ledger in `schema`, which need not exist yet.
    pub fn in_schema(schema: impl Into<String>) -> Self {
        let schema = schema.into();
        Self { quoted: quoted(&schema), schema }
    }

    /// The schema's name, unquoted.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The quoted and qualified name of the table of steps of migrations that do
    /// not run in one transaction.
    pub fn statements(&self) -> String {
        self.table("__migration_statements__")
    }

    /// The quoted and qualified name of one of its tables.
    pub(super) fn table(&self, table: &str) -> String {
        format!("{}.{table}", self.quoted)
    }

    /// Creates what is missing and makes sure that we may write. Safe to call from
    /// any number of sessions at once.
    pub async fn create(&self, client: &Client) -> Result<(), LedgerError> {
        self.refuse_read_only(client).await?;
        let mut created = self.try_create(client).await;
        for _ in 1..CREATE_TRIES {
            if created.as_ref().is_err_and(is_race) {
                created = self.try_create(client).await;
            }
        }
        created.map_err(|error| self.error(&error))?;
        self.refuse_unwritable(client).await
    }

    /// Before anything runs: a migration that could not be recorded would be
    /// rolled back at its end.
    async fn refuse_unwritable(&self, client: &Client) -> Result<(), LedgerError> {
        let tables = ["__migrations__", "__migration_attempts__", "__migration_statements__"];
        for table in tables.map(|table| self.table(table)) {
            let sql = "SELECT pg_catalog.has_table_privilege($1, 'INSERT')";
            let row = client.query_one(sql, &[&table]).await.map_err(|error| self.error(&error))?;
            if !row.get::<_, bool>(0) {
                let reason = format!("INSERT into {table} is not granted");
                return Err(LedgerError::Forbidden { schema: self.schema.clone(), reason });
            }
        }
        Ok(())
    }

    /// Reads everything; an empty state when there are no tables yet.
    pub async fn read(&self, client: &Client) -> Result<LedgerState, LedgerError> {
        let Some(found) = self.version(client).await.map_err(|error| self.error(&error))? else {
            return Ok(LedgerState::default());
        };
        if found > VERSION {
            return Err(LedgerError::Newer { schema: self.schema.clone(), found });
        }
        self.read_tables(client).await.map_err(|error| self.error(&error))
    }

    /// Whether `id` was applied by the run `batch`, with its receipt.
    pub(super) async fn receipt(
        &self,
        client: &Client,
        id: &str,
        batch: &str,
    ) -> Result<Option<Receipt>, Error> {
        let sql = format!(
            "SELECT execution_time_ms::pg_catalog.float8, applied_at FROM {} WHERE id = $1 AND batch_id::pg_catalog.text = $2",
            self.table("__migrations__")
        );
        let row = client.query_opt(&sql, &[&id, &batch]).await?;
        Ok(row.map(|row| Receipt { execution_time_ms: row.get(0), applied_at: timestamp(&row, 1) }))
    }

    /// Whether the step `number` of `id` was finished by the run `batch`.
    pub(super) async fn is_finished(
        &self,
        client: &Client,
        (id, number): (&str, usize),
        batch: &str,
    ) -> Result<bool, Error> {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {} WHERE migration_id = $1 AND statement = $2
                AND batch_id::pg_catalog.text = $3 AND finished_at IS NOT NULL)",
            self.statements()
        );
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        Ok(client.query_one(&sql, &[&id, &number, &batch]).await?.get(0))
    }

    async fn refuse_read_only(&self, client: &Client) -> Result<(), LedgerError> {
        let sql = "SELECT pg_catalog.current_setting('transaction_read_only'), pg_catalog.pg_is_in_recovery()";
        let row = client.query_one(sql, &[]).await.map_err(|error| self.error(&error))?;
        let (read_only, standby): (String, bool) = (row.get(0), row.get(1));
        let reason = match (read_only.as_str(), standby) {
            (_, true) => "it is a standby",
            ("on", false) => "default_transaction_read_only is on",
            _ => return Ok(()),
        };
        Err(LedgerError::ReadOnly { reason: reason.to_owned() })
    }

    async fn try_create(&self, client: &Client) -> Result<(), Error> {
        if self.version(client).await?.is_some() {
            return Ok(());
        }
        let exists = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)";
        let exists: bool = client.query_one(exists, &[&self.schema]).await?.get(0);
        // Even IF NOT EXISTS asks for the right to create schemas.
        let create = if exists { String::new() } else { format!("CREATE SCHEMA {};", self.quoted) };
        let tables = include_str!("ledger.sql")
            .replace("{schema}", &self.quoted)
            .replace("{version}", &VERSION.to_string())
            .replace("{tool_version}", &escape_literal(env!("CARGO_PKG_VERSION")));
        let sql = format!(
            "BEGIN;SET LOCAL client_min_messages = warning;SET LOCAL search_path = pg_catalog;{create}{tables}COMMIT"
        );
        let result = client.batch_execute(&sql).await;
        if result.is_err() {
            // The failed statement left the transaction open.
            client.batch_execute("ROLLBACK").await?;
        }
        result
    }

    /// The version of the tables; `None` when there are none.
    async fn version(&self, client: &Client) -> Result<Option<i32>, Error> {
        let there = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
        let table = self.table("__ledger__");
        if !client.query_one(there, &[&table]).await?.get::<_, bool>(0) {
            return Ok(None);
        }
        let sql = format!("SELECT version FROM {table} ORDER BY version DESC LIMIT 1");
        Ok(client.query_opt(&sql, &[]).await?.map(|row| row.get(0)))
    }

    async fn read_tables(&self, client: &Client) -> Result<LedgerState, Error> {
        let migrations = format!(
            "SELECT id, checksum, checksum_algorithm, applied_at, execution_time_ms::pg_catalog.float8,
                batch_id::pg_catalog.text, layer FROM {} ORDER BY applied_at, id",
            self.table("__migrations__")
        );
        let statements = format!(
            "SELECT migration_id, statement, checksum, finished_at IS NOT NULL, started_at,
                CASE WHEN session IS NOT NULL
                    THEN ARRAY(SELECT pg_catalog.jsonb_array_elements_text(session -> 'left')) END
                FROM {} ORDER BY migration_id, statement",
            self.table("__migration_statements__")
        );
        let applied = client.query(&migrations, &[]).await?.iter().map(applied).collect();
        let started = client.query(&statements, &[]).await?.iter().map(started).collect();
        Ok(LedgerState { applied, started })
    }

    pub(super) fn error(&self, error: &Error) -> LedgerError {
        let schema = self.schema.clone();
        let reason = reason(error);
        match error.code() {
            Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                LedgerError::Forbidden { schema, reason }
            }
            Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
                LedgerError::ReadOnly { reason }
            }
            Some(code)
                if *code == SqlState::UNDEFINED_COLUMN || *code == SqlState::UNDEFINED_TABLE =>
            {
                LedgerError::Foreign { schema, reason }
            }
            _ => LedgerError::Database { schema, reason },
        }
    }
}

/// Two sessions created the same thing: PostgreSQL's `IF NOT EXISTS` is not safe
/// against that (<https://www.postgresql.org/message-id/CA+TgmoZAdYVtwBfp1FL2sMZbiHCWT4UPrzRLNnX1Nb30Ku3-gg@mail.gmail.com>).
fn is_race(error: &Error) -> bool {
    let races = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
    ];
    error.code().is_some_and(|code| races.contains(code))
}

fn quoted(schema: &str) -> String {
    escape_identifier(schema)
}

fn applied(row: &Row) -> Applied {
    Applied {
        id: row.get(0),
        checksum: row.get(1),
        checksum_algorithm: row.get(2),
        applied_at: timestamp(row, 3),
        execution_time_ms: row.get(4),
        batch_id: row.get(5),
        layer: usize::try_from(row.get::<_, i32>(6)).unwrap_or(0),
    }
}

fn started(row: &Row) -> Started {
    Started {
        id: row.get(0),
        statement: usize::try_from(row.get::<_, i32>(1)).unwrap_or(0),
        checksum: row.get(2),
        finished: row.get(3),
        started_at: timestamp(row, 4),
        left_behind: row.get(5),
    }
}

fn timestamp(row: &Row, column: usize) -> Timestamp {
    let time: SystemTime = row.get(column);
    Timestamp::try_from(time).unwrap_or_default()
}
