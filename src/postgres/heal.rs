//! Looking what there is of a statement that runs outside of any transaction, and
//! how what is half done can be put right.
//!
//! `CREATE INDEX CONCURRENTLY` and its like consist of several transactions. One
//! that was ended in the middle, by whatever, leaves an INVALID index or a
//! partition that is pending to be detached
//! (<https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY>).

use serde::{Deserialize, Serialize};
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
    /// One statement to each thing that must go, and what to tell of it.
    pub(super) fn drops(&self) -> impl Iterator<Item = (String, String)> {
        let invalid = if let Self::Invalid(indexes) = self { indexes.as_slice() } else { &[] };
        invalid.iter().map(|index| {
            let told = format!("dropped the INVALID index {index}, which an earlier try left");
            (format!("DROP INDEX CONCURRENTLY IF EXISTS {index}"), told)
        })
    }
}

/// What there was before a statement was first begun, as its row has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    /// The index that a `DROP INDEX` meant: when it is gone, the same name may mean
    /// another one in the search path.
    index: Option<u32>,
    /// INVALID indexes of others, qualified and quoted, which look like leftovers.
    #[serde(default)]
    others: Vec<String>,
}

impl Before {
    /// Looks, in the session in which the statement is to run.
    pub(super) async fn look(client: &Client, recovery: &Recovery) -> Result<Self, Error> {
        let mut before = Self::default();
        match recovery {
            Recovery::DropIndex(index) => {
                let sql = "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid";
                before.index = client.query_one(sql, &[&index]).await?.try_get(0)?;
            }
            Recovery::Reindex(scope) => before.others = leftovers(client, scope).await?,
            _ => {}
        }
        Ok(before)
    }

    /// From [`Before::to_json`]; nothing from anything else.
    pub(super) fn of_json(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    pub(super) fn to_json(&self) -> String {
        // Numbers and texts: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Looks, in the session in which the statement runs: its names are resolved there.
pub(super) async fn look(
    client: &Client,
    (recovery, before): (&Recovery, &Before),
) -> Result<Found, Error> {
    match recovery {
        Recovery::Ask | Recovery::Repeat => Ok(Found::Nothing),
        Recovery::CreateIndex(wanted) => created_index(client, &wanted.index, &wanted.table).await,
        Recovery::DropIndex(_) => is_dropped(client, before.index).await,
        Recovery::Reindex(scope) => {
            let mut left = leftovers(client, scope).await?;
            left.retain(|index| !before.others.contains(index));
            Ok(if left.is_empty() { Found::Nothing } else { Found::Invalid(left) })
        }
        Recovery::Detach { parent, partition } => detached(client, parent, partition).await,
        Recovery::CreateShared(shared) => is_done(client, exists(shared), name(shared)).await,
        Recovery::DropShared(shared) => {
            let sql = format!("SELECT NOT ({})", exists(shared));
            is_done(client, &sql, name(shared)).await
        }
    }
}

/// Where there never was one, it is done as well.
async fn is_dropped(client: &Client, index: Option<u32>) -> Result<Found, Error> {
    let sql = "SELECT FROM pg_catalog.pg_class WHERE oid OPERATOR(pg_catalog.=) $1";
    let there = client.query_opt(sql, &[&index]).await?;
    Ok(if there.is_some() { Found::Nothing } else { Found::Done })
}

/// Done when `sql` is true of `name`, else nothing.
async fn is_done(client: &Client, sql: &str, name: &str) -> Result<Found, Error> {
    let done: bool = client.query_one(sql, &[&name]).await?.try_get(0)?;
    Ok(if done { Found::Done } else { Found::Nothing })
}

fn exists(shared: &Shared) -> &'static str {
    match shared {
        Shared::Database(_) => {
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1::pg_catalog.text::pg_catalog.name)"
        }
        Shared::Tablespace(_) => {
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_tablespace WHERE spcname = $1::pg_catalog.text::pg_catalog.name)"
        }
    }
}

fn name(shared: &Shared) -> &str {
    match shared {
        Shared::Database(name) | Shared::Tablespace(name) => name,
    }
}

/// What another user's session builds is not shown to everybody, only that it builds and
/// what it has locked. An index of another table with that name is none of ours, nor is one that is INVALID and a
/// constraint's.
async fn created_index(client: &Client, index: &str, table: &str) -> Result<Found, Error> {
    let sql = "SELECT i.indisvalid AND i.indisready AND i.indislive,
            pg_catalog.format('%I.%I', n.nspname, c.relname),
            (SELECT p.pid FROM pg_catalog.pg_stat_progress_create_index p
                JOIN pg_catalog.pg_locks l ON l.pid = p.pid AND l.relation = i.indrelid
                    AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
                WHERE COALESCE(p.index_relid, c.oid) = c.oid LIMIT 1)
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
        WHERE c.relname = $1::pg_catalog.text::pg_catalog.name AND i.indrelid = pg_catalog.to_regclass($2)
            AND (i.indisvalid OR NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conindid = c.oid))";
    let Some(row) = client.query_opt(sql, &[&index, &table]).await? else {
        return Ok(Found::Nothing);
    };
    Ok(match (row.try_get::<_, bool>(0)?, row.try_get::<_, Option<i32>>(2)?) {
        (true, _) => Found::Done,
        (false, Some(pid)) => Found::Busy(pid),
        (false, None) => Found::Invalid(vec![row.try_get(1)?]),
    })
}

/// What a `REINDEX … CONCURRENTLY` that was ended leaves: indexes with a suffix, and
/// INVALID. A name that would be too long is cut before it. A TOAST table has them too
/// (<https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY>).
async fn leftovers(client: &Client, scope: &Scope) -> Result<Vec<String>, Error> {
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
    rows.iter().map(|row| row.try_get(0)).collect()
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
            "SELECT r.oid, r.reltoastrelid, NULL::pg_catalog.oid AS index FROM pg_catalog.pg_class r
                WHERE r.oid = pg_catalog.to_regclass($1) OR r.oid IN
                    (SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)))"
        }
        Scope::Schema(_) => {
            "SELECT r.oid, r.reltoastrelid, NULL::pg_catalog.oid AS index FROM pg_catalog.pg_class r
                JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace
                WHERE s.nspname = $1::pg_catalog.text::pg_catalog.name AND r.relkind IN ('r', 'm')"
        }
        Scope::Database => {
            "SELECT r.oid, r.reltoastrelid, NULL::pg_catalog.oid AS index FROM pg_catalog.pg_class r
                WHERE r.relkind IN ('r', 'm')"
        }
    }
}

async fn detached(client: &Client, parent: &str, partition: &str) -> Result<Found, Error> {
    // The column came with the statement, in 14.
    let sql = "SELECT (pg_catalog.to_jsonb(h) ->> 'inhdetachpending')::pg_catalog.bool
        FROM pg_catalog.pg_inherits h WHERE h.inhparent = pg_catalog.to_regclass($1)
            AND h.inhrelid = pg_catalog.to_regclass($2)";
    let row = client.query_opt(sql, &[&parent, &partition]).await?;
    Ok(match row.map(|row| row.try_get::<_, Option<bool>>(0)).transpose()? {
        None => Found::Done,
        Some(Some(true)) => {
            Found::Pending(format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE"))
        }
        Some(_) => Found::Nothing,
    })
}
