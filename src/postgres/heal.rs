//! Looking what there is of a statement that runs outside of any transaction, and
//! how what is half done can be put right.
//!
//! `CREATE INDEX CONCURRENTLY` and its like consist of several transactions. One
//! that was ended in the middle, by whatever, leaves an INVALID index or a
//! partition that is pending to be detached
//! (<https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY>).

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};

use crate::syntax::{Recovery, Scope, Shared};

/// What there is of a statement's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing that anybody could tell.
    Nothing,
    /// All of it.
    Done,
    /// INVALID indexes, qualified and quoted; drop them, then run the statement.
    Invalid(Vec<String>),
    /// All but its end, which this statement does.
    Pending(String),
    /// The backend of this process id is at it.
    Busy(i32),
}

impl Found {
    /// The same without the INVALID indexes of this list.
    pub(super) fn besides(self, others: &[String]) -> Self {
        let Self::Invalid(mut indexes) = self else { return self };
        indexes.retain(|index| !others.contains(index));
        if indexes.is_empty() { Self::Nothing } else { Self::Invalid(indexes) }
    }

    /// One statement to each thing that must go, and what to tell of it.
    pub(super) fn drops(&self) -> impl Iterator<Item = (String, String)> {
        let invalid = if let Self::Invalid(indexes) = self { indexes.as_slice() } else { &[] };
        invalid.iter().map(|index| {
            let told = format!("dropped the INVALID index {index}, which an earlier try left");
            (format!("DROP INDEX CONCURRENTLY IF EXISTS {index}"), told)
        })
    }
}

/// Looks, in the session in which the statement runs: its names are resolved there.
pub(super) async fn look(client: &Client, recovery: &Recovery) -> Result<Found, Error> {
    match recovery {
        Recovery::Ask | Recovery::Repeat => Ok(Found::Nothing),
        Recovery::CreateIndex(wanted) => created_index(client, &wanted.index, &wanted.table).await,
        Recovery::DropIndex(index) => {
            is_done(client, "SELECT pg_catalog.to_regclass($1) IS NULL", index).await
        }
        Recovery::Reindex(scope) => leftovers(client, scope).await,
        Recovery::Detach { parent, partition } => detached(client, parent, partition).await,
        Recovery::CreateShared(shared) => is_done(client, exists(shared), name(shared)).await,
        Recovery::DropShared(shared) => {
            let sql = format!("SELECT NOT ({})", exists(shared));
            is_done(client, &sql, name(shared)).await
        }
    }
}

/// Done when `sql` is true of `name`, else nothing.
async fn is_done(client: &Client, sql: &str, name: &str) -> Result<Found, Error> {
    let done: bool = client.query_one(sql, &[&name]).await?.get(0);
    Ok(if done { Found::Done } else { Found::Nothing })
}

fn exists(shared: &Shared) -> &'static str {
    match shared {
        Shared::Database(_) => {
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1::text::name)"
        }
        Shared::Tablespace(_) => {
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_tablespace WHERE spcname = $1::text::name)"
        }
    }
}

fn name(shared: &Shared) -> &str {
    match shared {
        Shared::Database(name) | Shared::Tablespace(name) => name,
    }
}

/// An index of another table with that name is none of ours, nor is a constraint's.
async fn created_index(client: &Client, index: &str, table: &str) -> Result<Found, Error> {
    let sql = "SELECT i.indisvalid AND i.indisready AND i.indislive,
            pg_catalog.format('%I.%I', n.nspname, c.relname),
            (SELECT p.pid FROM pg_catalog.pg_stat_progress_create_index p
                WHERE p.index_relid = c.oid LIMIT 1)
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
        WHERE c.relname = $1::text::name AND i.indrelid = pg_catalog.to_regclass($2)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conindid = c.oid)";
    let Some(row) = client.query_opt(sql, &[&index, &table]).await? else {
        return Ok(Found::Nothing);
    };
    Ok(match (row.get::<_, bool>(0), row.get::<_, Option<i32>>(2)) {
        (true, _) => Found::Done,
        (false, Some(pid)) => Found::Busy(pid),
        (false, None) => Found::Invalid(vec![row.get(1)]),
    })
}

/// What a `REINDEX … CONCURRENTLY` that was ended leaves: indexes with a suffix, and
/// INVALID. A name that would be too long is cut before it. A TOAST table has them too
/// (<https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY>).
async fn leftovers(client: &Client, scope: &Scope) -> Result<Found, Error> {
    // An index that somebody is rebuilding now looks the same.
    let sql = format!(
        r"WITH t AS ({})
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM t JOIN pg_catalog.pg_index i ON i.indrelid IN (t.oid, t.reltoastrelid)
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT i.indisvalid AND c.relkind = 'i' AND EXISTS (
                SELECT FROM pg_catalog.pg_class o JOIN pg_catalog.pg_index x ON x.indexrelid = o.oid,
                    pg_catalog.regexp_match(c.relname, '^(.*)_cc(?:new|old)[0-9]*$') m
                WHERE x.indrelid = i.indrelid AND pg_catalog.starts_with(o.relname, m[1])
                    AND (o.relname = m[1] OR pg_catalog.octet_length(c.relname::text) > 59)
                    AND (t.index IS NULL OR o.oid = t.index))
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p
                WHERE p.relid IN (t.oid, t.reltoastrelid))
        ORDER BY 1",
        tables_of(scope)
    );
    let named: [&(dyn ToSql + Sync); 1];
    let parameters: &[&(dyn ToSql + Sync)] = match scope {
        Scope::Index(name) | Scope::Table(name) | Scope::Schema(name) => {
            named = [name];
            &named
        }
        Scope::Database => &[],
    };
    let rows = client.query(&sql, parameters).await?;
    let indexes: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(if indexes.is_empty() { Found::Nothing } else { Found::Invalid(indexes) })
}

/// The tables that a `REINDEX` is about, as a query, with the index if it is one's.
fn tables_of(scope: &Scope) -> &'static str {
    match scope {
        Scope::Index(_) => {
            "SELECT r.oid, r.reltoastrelid, x.indexrelid AS index FROM pg_catalog.pg_class r
                JOIN pg_catalog.pg_index x ON x.indrelid = r.oid
                WHERE x.indexrelid = pg_catalog.to_regclass($1)"
        }
        Scope::Table(_) => {
            "SELECT r.oid, r.reltoastrelid, NULL::oid AS index FROM pg_catalog.pg_class r
                WHERE r.oid = pg_catalog.to_regclass($1) OR r.oid IN
                    (SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)))"
        }
        Scope::Schema(_) => {
            "SELECT r.oid, r.reltoastrelid, NULL::oid AS index FROM pg_catalog.pg_class r
                JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace
                WHERE s.nspname = $1::text::name AND r.relkind IN ('r', 'm')"
        }
        Scope::Database => {
            "SELECT r.oid, r.reltoastrelid, NULL::oid AS index FROM pg_catalog.pg_class r
                WHERE r.relkind IN ('r', 'm')"
        }
    }
}

async fn detached(client: &Client, parent: &str, partition: &str) -> Result<Found, Error> {
    // The column came with the statement, in 14.
    let sql = "SELECT (pg_catalog.to_jsonb(h) ->> 'inhdetachpending')::bool
        FROM pg_catalog.pg_inherits h WHERE h.inhparent = pg_catalog.to_regclass($1)
            AND h.inhrelid = pg_catalog.to_regclass($2)";
    let row = client.query_opt(sql, &[&parent, &partition]).await?;
    Ok(match row.map(|row| row.get::<_, Option<bool>>(0)) {
        None => Found::Done,
        Some(Some(true)) => {
            Found::Pending(format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE"))
        }
        Some(_) => Found::Nothing,
    })
}
