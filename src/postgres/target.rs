//! Which database is meant, and sessions in it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::Connect;
use futures_util::stream::poll_fn;
use futures_util::{StreamExt, pin_mut};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Error};

use super::error::ConnectError;
use super::tls::{self, Tls};

/// Settings every session has, on every version: the lexer's idea of a string
/// must be the server's.
const EVERY_SESSION: &str = "-c standard_conforming_strings=on";

/// Settings of 14 and later. A backend whose client is gone ends its statement
/// within half a second; an idle session of ours is not ended by the server.
const SINCE_14: &str = "-c client_connection_check_interval=500ms -c idle_session_timeout=0";

/// A database and how to reach it. `Display` names it without any secret.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: Tls,
}

impl Target {
    /// A target from complete settings. Our session settings are added behind
    /// the user's own `options`.
    pub fn new(mut config: Config) -> Self {
        let only_sockets = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        if only_sockets {
            // As libpq: a Unix socket needs no TLS.
            config.ssl_mode(SslMode::Disable);
        }
        let config = with_options(config, EVERY_SESSION);
        Self { config, tls: tls::connector() }
    }

    /// The same, for a server of `version` (as in `server_version_num`).
    #[must_use]
    pub(super) fn for_version(&self, version: u32) -> Self {
        let config = self.config.clone();
        let config = if version >= 140_000 { with_options(config, SINCE_14) } else { config };
        Self { config, tls: self.tls.clone() }
    }

    /// The connection settings.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or_default()
    }

    /// The user who connects.
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// Opens a session; notices are dropped.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        match self.open(&self.config).await {
            Ok((client, _)) => Ok(client),
            Err(error) => Err(ConnectError::new(self, &error)),
        }
    }

    /// Asks the server to cancel what `token`'s session is doing.
    pub(super) async fn cancel(&self, token: &tokio_postgres::CancelToken) -> Result<(), Error> {
        token.cancel_query(self.tls.clone()).await
    }

    /// The connection is driven by a task of its own, which ends with the client.
    async fn open(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, mut connection) = config.connect(self.tls.clone()).await?;
        let task = tokio::spawn(async move {
            let messages = poll_fn(move |context| connection.poll_message(context));
            pin_mut!(messages);
            // An error closes the client, whose next call reports it.
            while let Some(Ok(_)) = messages.next().await {}
        });
        Ok((client, task))
    }
}

/// The server's `server_version_num`, such as 150018.
pub async fn server_version(client: &Client, target: &Target) -> Result<u32, ConnectError> {
    let sql = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4";
    let row =
        client.query_one(sql, &[]).await.map_err(|error| ConnectError::new(target, &error))?;
    Ok(u32::try_from(row.get::<_, i32>(0)).unwrap_or(0))
}

fn with_options(mut config: Config, ours: &str) -> Config {
    let options = match config.get_options() {
        Some(theirs) => format!("{theirs} {ours}"),
        None => ours.to_owned(),
    };
    config.options(options);
    config
}

/// deadpool's own implementation would log notices, which may hold anything.
impl Connect for Target {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move { self.open(&config).await })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database `{}` on ", self.database())?;
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            let port = self.config.get_ports().get(at).or(self.config.get_ports().first());
            let port = port.copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => write!(f, "{separator}{name}:{port}")?,
                Host::Unix(dir) => write!(f, "{separator}{}/.s.PGSQL.{port}", dir.display())?,
            }
        }
        write!(f, " as `{}`", self.user())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}
