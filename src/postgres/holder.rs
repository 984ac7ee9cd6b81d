//! Who holds our advisory locks, and what they are doing.

use std::time::Duration;

use tokio_postgres::{Client, Error, Row};

use super::message::{BEHIND_SCRIPT, MARK, MARK_END};

/// As much of a statement as is shown.
const SHOWN: usize = 80;

/// A session that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The backend's process id.
    pub pid: i32,
    /// What it calls itself.
    pub application: String,
    /// Who it is.
    pub user: String,
    /// Where it comes from; empty for a Unix socket.
    pub client: String,
    /// Since when it has been connected.
    pub since: String,
    /// What it does; `None` when it does nothing, or when we may not see it.
    pub doing: Option<Doing>,
}

/// What a session does at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doing {
    /// The migration it applies, when it says so.
    pub migration: Option<String>,
    /// For how long.
    pub elapsed: Duration,
    /// The beginning of its statement, in one line.
    pub sql: String,
}

/// Who holds the advisory lock `key`, this session left out. A lock's key of 64
/// bits stands in pg_locks as two halves with `objsubid` 1
/// (<https://www.postgresql.org/docs/current/view-pg-locks.html>).
pub(super) async fn holders(client: &Client, key: i64) -> Result<Vec<Holder>, Error> {
    let sql = "SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''),
            coalesce(a.client_hostname, host(a.client_addr), ''),
            to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'),
            a.state <> 'idle', left(a.query, 2000),
            EXTRACT(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::float8
        FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
            AND ((l.classid::bigint << 32) | l.objid::bigint) = $1
            AND a.pid <> pg_backend_pid()
        ORDER BY a.pid";
    Ok(client.query(sql, &[&key]).await?.iter().map(holder).collect())
}

fn holder(row: &Row) -> Holder {
    let is_busy = row.get::<_, Option<bool>>(5).unwrap_or(false);
    let doing = || {
        let (migration, sql) = shown(row.get::<_, Option<&str>>(6)?);
        let elapsed = row.get::<_, Option<f64>>(7).unwrap_or(0.0);
        let elapsed = Duration::try_from_secs_f64(elapsed).unwrap_or_default();
        Some(Doing { migration, elapsed, sql })
    };
    Holder {
        pid: row.get(0),
        application: row.get(1),
        user: row.get(2),
        client: row.get(3),
        since: row.get::<_, Option<String>>(4).unwrap_or_default(),
        doing: if is_busy { doing() } else { None },
    }
}

/// Which migration a session applies and how its script begins. A message of ours
/// names its migration in a comment: behind a statement on its own, else in front of
/// more than is worth showing. The server shows its first 1,024 bytes.
fn shown(query: &str) -> (Option<String>, String) {
    let Some((id, rest)) = query.strip_prefix(MARK).and_then(|it| it.split_once(MARK_END)) else {
        let behind = query.strip_suffix(MARK_END).and_then(|it| it.rsplit_once(MARK));
        return match behind {
            Some((sql, id)) => (Some(id.to_owned()), in_one_line(sql)),
            None => (None, in_one_line(query)),
        };
    };
    let script = rest.split_once(";\n").map_or("", |(_, script)| script);
    let script = script.split(BEHIND_SCRIPT).next().unwrap_or_default();
    (Some(id.to_owned()), in_one_line(script))
}

/// The beginning of `sql` behind the comments it begins with.
fn in_one_line(sql: &str) -> String {
    let mut rest = sql.trim_start();
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest.trim_start());
    }
    let line = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_ours_is_shown_as_its_script() {
        let long = format!("SELECT {}", "x".repeat(100));
        let cases = [
            ("VACUUM\n  a;", None, "VACUUM a;"),
            ("VACUUM a; /* migraph 0042_orders */", Some("0042_orders"), "VACUUM a;"),
            (
                "/* migraph 0042_orders */BEGIN ;SELECT CASE 1 END;\n\n-- a\n--\n CREATE  TABLE a ();\n;RESET SESSION AUTHORIZATION;RESET ROLE;WITH",
                Some("0042_orders"),
                "CREATE TABLE a ();",
            ),
            ("/* migraph 0042_orders */BEGIN ;SELECT CASE", Some("0042_orders"), ""),
            ("<insufficient privilege>", None, "<insufficient privilege>"),
            ("-- only", None, ""),
            (long.as_str(), None, &format!("SELECT {}…", "x".repeat(73))),
        ];
        for (query, migration, sql) in cases {
            assert_eq!(shown(query), (migration.map(str::to_owned), sql.to_owned()), "{query}");
        }
    }
}
