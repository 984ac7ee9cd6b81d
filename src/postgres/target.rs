//! Which database is meant, and sessions in it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Connect;
use futures_util::stream::poll_fn;
use futures_util::{StreamExt, pin_mut};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Error};

use super::baseline::{self, Setting};
use super::cancel;
use super::notices::{Ear, Ears};
use super::tls::{self, Tls};
use super::tuning::Tuning;

/// The setting that proves that our startup options have reached the session.
pub(super) const TOKEN_SETTING: &str = "migraph.token";

/// A database and how to reach it. `Display` names it without any secret.
///
/// One from [`Target::new`] knows nothing of the server yet;
/// [`Target::reach`] makes one that does.
#[derive(Clone)]
pub struct Target {
    /// Without startup options.
    config: Config,
    /// The user's own startup options.
    options: Option<String>,
    token: String,
    /// The server's `server_version_num`; 0 while it is not known.
    version: u32,
    route: Route,
    patience: Duration,
    tls: Tls,
    /// Of the sessions that a pool has opened.
    ears: Ears,
}

/// How the settings of a session are made.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// By startup options.
    Direct,
    /// By a statement with these, because a pooler stands in between. It gives
    /// each session a backend of its own.
    Pooled(Arc<[Setting]>),
}

impl Target {
    /// A target from complete settings. Our session settings are added behind
    /// the user's own `options`.
    pub fn new(config: &Config) -> Self {
        let options = config.get_options().map(str::to_owned);
        let mut config = without_options(config);
        let only_sockets = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        if only_sockets {
            // As libpq: a Unix socket needs no TLS.
            config.ssl_mode(SslMode::Disable);
        }
        Self {
            config,
            options,
            token: new_token(),
            version: 0,
            route: Route::Direct,
            patience: Duration::ZERO,
            tls: tls::connector(),
            ears: Ears::default(),
        }
    }

    /// The same, waiting at most `patience` for a server that is starting.
    #[must_use]
    pub fn wait(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, for a server of `version` (as in `server_version_num`).
    #[must_use]
    pub(super) fn direct(&self, version: u32) -> Self {
        Self { version, route: Route::Direct, ..self.clone() }
    }

    /// The same, behind a pooler that gives each session a backend of its own. An
    /// error is a word of the user's startup options that is no setting.
    pub(super) fn pooled(&self, version: u32) -> Result<Self, String> {
        let mut settings = self.pooler_settings();
        settings.extend(baseline::parse_options(self.options.as_deref().unwrap_or_default())?);
        let ours = baseline::ours(version);
        settings.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(Self { version, route: Route::Pooled(settings.into()), ..self.clone() })
    }

    /// The same, with sessions that have the settings of `tuning` too. They come
    /// behind the user's own startup options and before ours.
    #[must_use]
    pub fn tuned(&self, tuning: &Tuning) -> Self {
        let theirs = self.options.iter().map(String::as_str);
        let options = tuning.options();
        let options = theirs.chain([options.as_str()]).collect::<Vec<_>>().join(" ");
        let tuned = Self { options: Some(options), ..self.clone() };
        match self.route {
            Route::Direct => tuned,
            // The options were taken apart once before, so they can be again.
            Route::Pooled(_) => tuned.pooled(self.version).unwrap_or(tuned),
        }
    }

    /// What a pooler knows of a session and `DISCARD ALL` behind it takes away.
    fn pooler_settings(&self) -> Vec<Setting> {
        let application = self.config.get_application_name().unwrap_or("migraph");
        [("client_encoding", "UTF8"), ("application_name", application)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// What a connection is opened with that is to know `token`.
    pub(super) fn startup(&self, token: &str) -> Config {
        let mut config = self.config.clone();
        if let Route::Direct = self.route {
            let token = [(TOKEN_SETTING, token)].into_iter();
            let ours = baseline::as_options(baseline::ours(self.version).chain(token));
            config.options(match &self.options {
                Some(theirs) => format!("{theirs} {ours}"),
                None => ours,
            });
        }
        config
    }

    /// The statement that makes the settings of a session that is to know `token`;
    /// `None` where startup options do.
    pub(super) fn settings(&self, token: &str) -> Option<String> {
        let Route::Pooled(settings) = &self.route else { return None };
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Some(baseline::as_statement(settings.chain([(TOKEN_SETTING, token)])))
    }

    /// What a connection is opened with that can carry no startup options.
    pub(super) fn bare(&self) -> &Config {
        &self.config
    }

    /// How the settings of a session are made.
    pub(super) fn route(&self) -> &Route {
        &self.route
    }

    /// Random; the first session knows it when it has our startup options.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Where the notices of the pool's session go that knows `token`; `None` when
    /// none of them does.
    pub(super) fn ear(&self, token: &str) -> Option<Arc<Ear>> {
        self.ears.of(token)
    }

    /// How long to wait for a server that is starting.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or_default()
    }

    /// The user who connects.
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// Asks the server to cancel what `token`'s session is doing. Whether it was
    /// heard shows in what becomes of that.
    pub(super) async fn cancel(&self, token: &CancelToken) {
        match self.route {
            Route::Direct => drop(token.cancel_query(self.tls.clone()).await),
            Route::Pooled(_) => cancel::through_pooler(token, &self.config, &self.tls).await,
        }
    }

    /// Opens a session whose notices nobody hears.
    pub(super) async fn open(&self, config: &Config) -> Result<Client, Error> {
        Ok(self.open_with(config, Arc::default()).await?.0)
    }

    /// Opens a session. The connection is driven by a task of its own, which ends
    /// with the client.
    async fn open_with(
        &self,
        config: &Config,
        ear: Arc<Ear>,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, mut connection) = config.connect(self.tls.clone()).await?;
        let task = tokio::spawn(async move {
            let messages = poll_fn(move |context| connection.poll_message(context));
            pin_mut!(messages);
            // An error closes the client, whose next call reports it.
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notice(notice) = message {
                    ear.tell(notice).await;
                }
            }
        });
        Ok((client, task))
    }
}

/// tokio-postgres can set startup options, and not take them away again.
fn without_options(all: &Config) -> Config {
    let mut config = Config::new();
    all.get_user().map(|user| config.user(user));
    all.get_password().map(|password| config.password(password));
    all.get_dbname().map(|dbname| config.dbname(dbname));
    all.get_application_name().map(|name| config.application_name(name));
    for host in all.get_hosts() {
        match host {
            Host::Tcp(name) => config.host(name),
            Host::Unix(dir) => config.host_path(dir),
        };
    }
    for address in all.get_hostaddrs() {
        config.hostaddr(*address);
    }
    for port in all.get_ports() {
        config.port(*port);
    }
    all.get_connect_timeout().map(|time| config.connect_timeout(*time));
    all.get_tcp_user_timeout().map(|time| config.tcp_user_timeout(*time));
    all.get_keepalives_interval().map(|time| config.keepalives_interval(time));
    all.get_keepalives_retries().map(|times| config.keepalives_retries(times));
    config
        .keepalives(all.get_keepalives())
        .keepalives_idle(all.get_keepalives_idle())
        .ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .target_session_attrs(all.get_target_session_attrs())
        .channel_binding(all.get_channel_binding())
        .load_balance_hosts(all.get_load_balance_hosts());
    config
}

fn new_token() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Each session of the pool has a token of its own, by which its user finds where
/// its notices go: deadpool hands on nothing but the client. deadpool's own
/// implementation would log notices, which may hold anything.
impl Connect for Target {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async {
            let token = new_token();
            let ear = self.ears.add(&token);
            let (client, task) = self.open_with(&self.startup(&token), ear).await?;
            if let Some(settings) = self.settings(&token) {
                settle(&client, &settings).await?;
            }
            Ok((client, task))
        })
    }
}

/// Makes a session as new that a pooler handed on from somebody else.
pub(super) async fn settle(client: &Client, settings: &str) -> Result<(), Error> {
    // One message would be one transaction, in which DISCARD ALL is refused.
    client.batch_execute("DISCARD ALL").await?;
    client.batch_execute(settings).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_options_is_left_out() {
        let url = "user=u password=p dbname=d application_name=a sslmode=require host=h,/s \
            hostaddr=127.0.0.1,127.0.0.2 port=1,2 connect_timeout=3 tcp_user_timeout=4 keepalives=0 \
            keepalives_idle=5 keepalives_interval=6 keepalives_retries=7 sslnegotiation=direct \
            target_session_attrs=read-write channel_binding=disable load_balance_hosts=random";
        let plain: Config = url.parse().unwrap();
        let with: Config = format!("{url} options='-c a=1'").parse().unwrap();
        assert_ne!(with, plain);
        assert_eq!(without_options(&with), plain);
    }

    #[test]
    fn the_users_options_come_first_and_behind_a_pooler_as_a_statement() {
        let config: Config = "host=h user=u options='-c work_mem=3MB'".parse().unwrap();
        let target = Target::new(&config);
        let startup = target.direct(150_000).startup("a-token");
        let options = startup.get_options().unwrap();
        assert!(options.starts_with("-c work_mem=3MB -c standard_conforming_strings=on"));
        assert!(options.ends_with("-c migraph.token=a-token"));
        assert_eq!(target.direct(150_000).settings("a-token"), None);
        let pooled = target.pooled(150_000).unwrap();
        assert_eq!(pooled.startup("a-token").get_options(), None);
        let sql = pooled.settings("a-token").unwrap();
        let settings = ["'client_encoding','UTF8'", "'work_mem','3MB'", "'idle_session_timeout'"];
        for part in settings.into_iter().chain(["'migraph.token','a-token'"]) {
            assert!(sql.contains(part), "{sql}");
        }
    }
}
