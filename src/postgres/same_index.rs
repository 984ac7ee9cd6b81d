//! Whether an index is the one that a statement would make.
//!
//! What PostgreSQL prints of an index is not what somebody wrote: it adds parentheses,
//! casts and operator classes. So the statement is run on an empty table of the same
//! columns, in a transaction that is rolled back, and the two prints are compared.

use tokio_postgres::{Client, Error, Row};

use super::error::reason;
use crate::syntax::WantedIndex;

/// All that makes an index what it is, but for its name and its table, and how it is
/// printed whole.
const PRINTED: &str = "SELECT pg_catalog.concat_ws(' ', i.indisunique, a.amname, i.indnkeyatts,
            (SELECT pg_catalog.array_agg(pg_catalog.pg_get_indexdef(c.oid, n, false) ORDER BY n)
                FROM pg_catalog.generate_series(1, i.indnatts) n),
            i.indclass, i.indcollation, i.indoption, pg_catalog.pg_get_expr(i.indpred, i.indrelid),
            c.reloptions, pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct'),
        pg_catalog.pg_get_indexdef(c.oid)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_am a ON a.oid = c.relam";

/// What is known of an index of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It is what the statement would make.
    Same,
    /// It is this.
    Other(String),
    /// It cannot be told: why.
    Untold(String),
}

/// Compares the index on `wanted.table` that has its name.
pub(super) async fn compare(client: &Client, wanted: &WantedIndex) -> Likeness {
    let compared = prints(client, wanted).await;
    // Also after an error, which leaves the transaction open.
    let ended = client.batch_execute("ROLLBACK").await;
    match compared.and_then(|prints| ended.map(|()| prints)) {
        Ok((Some(there), Some(made))) if there[0] == made[0] => Likeness::Same,
        Ok((Some(there), Some(_))) => Likeness::Other(there[1].clone()),
        Ok(_) => Likeness::Untold("it is gone".to_owned()),
        Err(error) => Likeness::Untold(reason(&error)),
    }
}

type Print = Option<[String; 2]>;

/// How the index that is there is printed, and the one that would be made.
async fn prints(client: &Client, wanted: &WantedIndex) -> Result<(Print, Print), Error> {
    let there = format!(
        "{PRINTED} WHERE c.relname = $1::pg_catalog.text::pg_catalog.name AND i.indrelid = pg_catalog.to_regclass($2)"
    );
    let there = print(client.query_opt(&there, &[&wanted.index, &wanted.table]).await?.as_ref())?;
    // The same bare name, in case a column is qualified with it.
    let WantedIndex { table, bare_table: bare, definition, .. } = wanted;
    let unique = if wanted.unique { "UNIQUE" } else { "" };
    client
        .batch_execute(&format!(
            "BEGIN;SET LOCAL lock_timeout=5000;CREATE TEMPORARY TABLE pg_temp.{bare} (LIKE {table});\
             CREATE {unique} INDEX ON pg_temp.{bare} {definition}"
        ))
        .await?;
    let made = format!("{PRINTED} WHERE i.indrelid = pg_catalog.to_regclass($1)");
    let made = client.query_opt(&made, &[&format!("pg_temp.{bare}")]).await?;
    Ok((there, print(made.as_ref())?))
}

fn print(row: Option<&Row>) -> Result<Print, Error> {
    row.map(|row| Ok([row.try_get(0)?, row.try_get(1)?])).transpose()
}
