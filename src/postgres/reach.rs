//! The first session: reaching the server, and finding out what stands in front
//! of it.
//!
//! Our startup options hold a random token, which the first question reads back.
//! If it is there, the session is the server's own. If the options were refused
//! or dropped, a connection pooler is in between, and what matters is whether its
//! sessions have backends of their own: two sessions, asked in turns, tell. On the
//! direct path all this is one question, which asks for the version too.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::error::ConnectError;
use super::target::{Route, TOKEN_SETTING, Target, settle};

/// A pooler without a free server session lets its clients wait without a word.
pub(super) const POOLER_PATIENCE: Duration = Duration::from_secs(10);

/// How often both sessions are asked twice each which backend they have.
const ROUNDS: usize = 3;

/// Between two words about a server that is not there yet.
const REPEAT: Duration = Duration::from_secs(5);

/// Why there is no session.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReachError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A pooler gives the same backend to several sessions.
    #[error(
        "{target} is a connection pooler in transaction or statement mode, which shares backends between sessions"
    )]
    SharedBackends {
        /// Where.
        target: String,
    },
    /// A pooler has no second session for us.
    #[error(
        "{target} is a connection pooler, which gave no second session within {} s",
        POOLER_PATIENCE.as_secs()
    )]
    PoolFull {
        /// Where.
        target: String,
    },
    /// The user's startup options cannot be set behind a pooler.
    #[error(
        "{target} is a connection pooler, which takes no startup options, and `{word}` in `options` or PGOPTIONS is no setting"
    )]
    Options {
        /// Where.
        target: String,
        /// What is no setting.
        word: String,
    },
}

impl ReachError {
    /// A short name for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connect(_) => "cannot-connect",
            Self::SharedBackends { .. } => "pooler-shares-backends",
            Self::PoolFull { .. } => "pooler-full",
            Self::Options { .. } => "pooler-options",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Connect(error) => error.help.clone(),
            Self::SharedBackends { .. } => {
                "migraph's locks and settings need sessions of its own: set MIGRAPH_DATABASE_URL to a URL that leads to the server itself, or let the pooler work in session mode".to_owned()
            }
            Self::PoolFull { .. } => {
                "each worker needs a session and the run one more: raise the pooler's pool_size, or set MIGRAPH_DATABASE_URL to a URL that leads to the server itself".to_owned()
            }
            Self::Options { .. } => {
                "write it as `-c name=value`, or set MIGRAPH_DATABASE_URL to a URL that leads to the server itself".to_owned()
            }
        }
    }

    fn is_transient(&self) -> bool {
        matches!(self, Self::Connect(error) if error.transient)
    }
}

/// The first session of a command.
pub struct Reached {
    /// The session.
    pub client: Client,
    /// Where further sessions come from.
    pub target: Target,
    /// The server's `server_version_num`, such as 150018.
    pub version: u32,
}

impl Target {
    /// Opens the first session. While the server is starting, it is tried again
    /// for as long as the target's patience lasts; `on_wait` is told why every few
    /// seconds.
    pub async fn reach(
        &self,
        on_wait: &mut dyn FnMut(&ConnectError),
    ) -> Result<Reached, ReachError> {
        let deadline = Instant::now() + self.patience();
        let mut said: Option<Instant> = None;
        let pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(1))
            .with_total_delay(Some(self.patience()))
            .without_max_times()
            .with_jitter();
        (|| self.try_to_reach())
            .retry(pauses)
            .when(|error: &ReachError| error.is_transient() && Instant::now() < deadline)
            .notify(|error, _| {
                if let ReachError::Connect(error) = error
                    && said.is_none_or(|said| said.elapsed() >= REPEAT)
                {
                    said = Some(Instant::now());
                    on_wait(error);
                }
            })
            .await
    }

    /// How long opening a session may take, its settings included: a pooler that
    /// has none free would let us wait for minutes.
    pub(super) fn session_timeout(&self) -> Option<Duration> {
        match self.route() {
            Route::Direct => None,
            Route::Pooled(_) => Some(POOLER_PATIENCE),
        }
    }

    async fn try_to_reach(&self) -> Result<Reached, ReachError> {
        let opened = match self.open(&self.startup(self.token())).await {
            Err(error) if refuses_options(&error) => self.open(self.bare()).await,
            opened => opened,
        };
        let client = opened.map_err(|error| ConnectError::new(self, &error))?;
        let asked = self.ask(&client).await;
        let found = asked.map_err(|error| ConnectError::new(self, &error))?;
        if found.token.as_deref() == Some(self.token()) {
            let target = self.direct(found.version);
            return Ok(Reached { client, target, version: found.version });
        }
        self.require_own_backends(&client).await?;
        let options = |word| ReachError::Options { target: self.to_string(), word };
        let target = self.pooled(found.version).map_err(options)?;
        if let Some(settings) = target.settings(target.token()) {
            let settled = settle(&client, &settings).await;
            settled.map_err(|error| ConnectError::new(self, &error))?;
        }
        Ok(Reached { client, target, version: found.version })
    }

    /// What the session is, and two settings: the server must not end it while it is
    /// idle, and it is ours alone, so that a database's own search_path must not lead
    /// our questions elsewhere. They are local to the question where the session may
    /// be anybody's.
    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let token = format!("pg_catalog.current_setting('{TOKEN_SETTING}',true)");
        let version = "pg_catalog.current_setting('server_version_num')";
        let sql = format!(
            "SELECT {version}, {token}, CASE WHEN {version}::pg_catalog.int4 OPERATOR(pg_catalog.>=) 140000 \
             THEN pg_catalog.set_config('idle_session_timeout','0',{token} IS DISTINCT FROM '{own}') END, \
             pg_catalog.set_config('search_path','pg_catalog',{token} IS DISTINCT FROM '{own}')",
            own = self.token()
        );
        let row = first_row(client, &sql).await?;
        let mut columns = row.into_iter();
        let version = columns.next().flatten().and_then(|it| it.parse().ok()).unwrap_or(0);
        Ok(Found { version, token: columns.next().flatten() })
    }

    /// Refuses a pooler that gives a backend to whoever has a statement to run.
    async fn require_own_backends(&self, first: &Client) -> Result<(), ReachError> {
        let compared = tokio::time::timeout(POOLER_PATIENCE, self.compare_backends(first)).await;
        match compared {
            Err(_) => Err(ReachError::PoolFull { target: self.to_string() }),
            Ok(Err(error)) => Err(ConnectError::new(self, &error).into()),
            Ok(Ok(false)) => Err(ReachError::SharedBackends { target: self.to_string() }),
            Ok(Ok(true)) => Ok(()),
        }
    }

    async fn compare_backends(&self, first: &Client) -> Result<bool, Error> {
        let second = self.open(self.bare()).await?;
        let (mut of_first, mut of_second) = (Vec::new(), Vec::new());
        // Twice each: a pooler that goes round its backends would otherwise give
        // each of two sessions the same one again.
        for _ in 0..ROUNDS {
            for _ in 0..2 {
                of_first.push(backend_of(first).await?);
            }
            for _ in 0..2 {
                of_second.push(backend_of(&second).await?);
            }
        }
        Ok(are_own(&of_first, &of_second))
    }
}

struct Found {
    version: u32,
    token: Option<String>,
}

/// True when both sessions always had the same backend, each another.
fn are_own(first: &[i32], second: &[i32]) -> bool {
    let is_one = |pids: &[i32]| pids.windows(2).all(|pair| pair[0] == pair[1]);
    is_one(first) && is_one(second) && first.first() != second.first()
}

async fn backend_of(client: &Client) -> Result<i32, Error> {
    let row = first_row(client, "SELECT pg_catalog.pg_backend_pid()").await?;
    Ok(row.into_iter().next().flatten().and_then(|pid| pid.parse().ok()).unwrap_or(0))
}

/// By the simple protocol: it needs one round trip, and no prepared statement,
/// which a pooler would look for in another backend.
pub(super) async fn first_row(client: &Client, sql: &str) -> Result<Vec<Option<String>>, Error> {
    let messages = client.simple_query(sql).await?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let column = |row: &tokio_postgres::SimpleQueryRow, at| row.get(at).map(str::to_owned);
    Ok(row.map(|row| (0..row.len()).map(|at| column(row, at)).collect()).unwrap_or_default())
}

/// What poolers say of startup options: PgBouncer (08P01) "unsupported startup
/// parameter: options", since 1.20 and at Neon "… in options: migraph.token", RDS
/// Proxy "… doesn't support command-line options". Their codes differ.
fn refuses_options(error: &Error) -> bool {
    let texts = ["unsupported startup parameter", "support command-line options"];
    let said = error.as_db_error().map(tokio_postgres::error::DbError::message);
    said.is_some_and(|said| texts.iter().any(|text| said.contains(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_own_when_they_stay_and_differ() {
        let cases = [
            ("session mode", vec![1, 1, 1, 1], vec![2, 2, 2, 2], true),
            ("one backend for both", vec![1, 1, 1, 1], vec![1, 1, 1, 1], false),
            ("two backends in turn", vec![1, 2, 1, 2], vec![1, 2, 1, 2], false),
            ("another one in between", vec![1, 1, 1, 3], vec![2, 2, 2, 2], false),
            ("the same, seen from the second", vec![1, 1, 1, 1], vec![2, 2, 3, 2], false),
        ];
        for (why, first, second, expected) in cases {
            assert_eq!(are_own(&first, &second), expected, "{why}");
        }
    }
}
