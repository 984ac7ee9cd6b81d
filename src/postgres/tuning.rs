//! Settings for the sessions of a fast run.
//!
//! Only what may be set for a session is ever set: a server-wide setting would
//! outlive us, and a crash would leave it behind.

use tokio_postgres::{Client, Error};

/// What `--fast` sets. A commit need not wait for the disk, because the run ends
/// with one that does; index builds get memory; tiny statements are not compiled.
const FAST: [(&str, &str); 3] =
    [("synchronous_commit", "off"), ("maintenance_work_mem", "256MB"), ("jit", "off")];

/// Settings for every session that applies migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning(Vec<(String, String)>);

/// A setting that the server does not let a session have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be set to `{value}` for a session: {reason}")]
pub struct RefusedSetting {
    /// Which.
    pub name: String,
    /// To what.
    pub value: String,
    /// Why not.
    pub reason: String,
}

impl Tuning {
    /// What `--fast` sets, and `more`, which goes first.
    pub fn fast(more: &[(String, String)]) -> Self {
        let ours = FAST.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let named = |name: &str| more.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let mut all: Vec<_> = ours.filter(|(name, _)| !named(name)).collect();
        all.extend(more.iter().cloned());
        Self(all)
    }

    /// True when nothing is tuned.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As startup options: `-c name=value`, blanks and backslashes escaped
    /// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS>).
    pub(super) fn options(&self) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace(' ', "\\ ");
        let option =
            |(name, value): &(String, String)| format!("-c {}={}", escaped(name), escaped(value));
        self.0.iter().map(option).collect::<Vec<_>>().join(" ")
    }

    /// Asks the server about each setting; those that a session cannot have.
    pub async fn refused(&self, client: &Client) -> Result<Vec<RefusedSetting>, Error> {
        let mut refused = Vec::new();
        for (name, value) in &self.0 {
            if let Some(reason) = refusal(client, name, value).await? {
                let (name, value) = (name.clone(), value.clone());
                refused.push(RefusedSetting { name, value, reason });
            }
        }
        Ok(refused)
    }
}

/// Why a session cannot have `name`; `None` when it can.
async fn refusal(client: &Client, name: &str, value: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT context FROM pg_catalog.pg_settings WHERE name = pg_catalog.lower($1)";
    let context: Option<String> = client.query_opt(sql, &[&name]).await?.map(|row| row.get(0));
    let reason = match context.as_deref() {
        Some("sighup") => {
            "it belongs to the whole server, and changing it takes ALTER SYSTEM and a reload, which migraph never does"
        }
        Some("postmaster" | "internal") => {
            "it belongs to the whole server, and is fixed while that runs"
        }
        None if !name.contains('.') => "there is no such setting",
        _ => {
            // Local to this statement's transaction: it only tells whether it would be taken.
            let set = "SELECT pg_catalog.set_config($1, $2, true)";
            return match client.query_one(set, &[&name, &value]).await {
                Ok(_) => Ok(None),
                Err(error) => match error.as_db_error() {
                    Some(server) => Ok(Some(server.message().to_owned())),
                    None => Err(error),
                },
            };
        }
    };
    Ok(Some(reason.to_owned()))
}

/// Makes every commit so far last, those of other sessions too.
///
/// WAL is written in order, so one synchronous commit flushes all before it; but
/// it must write something itself, or it does not flush.
pub async fn flush(client: &Client) -> Result<(), Error> {
    let sql = "BEGIN;SET LOCAL synchronous_commit=on;SELECT pg_catalog.pg_logical_emit_message(true,'migraph','');COMMIT";
    client.batch_execute(sql).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_settings_go_before_ours_and_are_escaped() {
        let own =
            [("JIT".to_owned(), "on".to_owned()), ("search_path".to_owned(), "a, b\\c".to_owned())];
        let options = Tuning::fast(&own).options();
        assert_eq!(
            options,
            "-c synchronous_commit=off -c maintenance_work_mem=256MB -c JIT=on -c search_path=a,\\ b\\\\c"
        );
    }
}
