//! Which database is meant.

use std::path::Path;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::{ConfigError, Environment};

/// Where the URL may stand, in this order, behind the flag.
const URLS: [&str; 2] = ["MIGRAPH_DATABASE_URL", "DATABASE_URL"];

/// Where servers put their sockets: Debian's place, then PostgreSQL's own.
const SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Options of libpq that tokio-postgres does not have
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>).
const LIBPQ_ONLY: [&str; 15] = [
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "krbsrvname",
    "passfile",
    "require_auth",
    "requirepeer",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslpassword",
    "sslrootcert",
];

/// What tokio-postgres takes when nothing is said.
const KERNELS_IDLE: Duration = Duration::from_hours(2);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Complete connection settings; `Debug` shows no password.
pub type DatabaseSettings = Config;

/// The database that flag or environment name; `None` when neither does.
///
/// The flag, MIGRAPH_DATABASE_URL, DATABASE_URL, PGHOST and PGDATABASE each name
/// one, in this order; libpq's variables fill what is left open
/// (<https://www.postgresql.org/docs/current/libpq-envars.html>).
pub fn database(
    flag: Option<&str>,
    environment: &Environment,
) -> Result<Option<DatabaseSettings>, ConfigError> {
    let named = flag
        .map(|url| ("--database-url", url))
        .or_else(|| URLS.into_iter().find_map(|name| environment.get(name).map(|url| (name, url))));
    let mut config = match named {
        Some((origin, url)) => {
            from_url(origin, &with_port(url, environment.get("PGPORT").unwrap_or("5432")))?
        }
        None if names_database(environment) => Config::new(),
        None => return Ok(None),
    };
    let ssl_is_set = named.is_some_and(|(_, url)| url.contains("sslmode"));
    fill(&mut config, environment, ssl_is_set)?;
    Ok(Some(config))
}

/// True when a variable names a database.
pub fn names_database(environment: &Environment) -> bool {
    URLS.into_iter().chain(["PGHOST", "PGDATABASE"]).any(|name| environment.get(name).is_some())
}

fn from_url(origin: &str, url: &str) -> Result<Config, ConfigError> {
    let error = |reason: String, help: &str| ConfigError::Url {
        origin: origin.to_owned(),
        reason,
        help: help.to_owned(),
    };
    let config: Config = url.parse().map_err(|parse: tokio_postgres::Error| {
        // The source names an option or a position, never a value; but the option may
        // be a part of a password with a blank in it.
        let reason = std::error::Error::source(&parse).map_or_else(String::new, ToString::to_string);
        let unknown = reason.strip_prefix("unknown option `").and_then(|it| it.strip_suffix('`'));
        let reason = match unknown {
            Some(option) if !LIBPQ_ONLY.contains(&option) => "it has an unknown option".to_owned(),
            Some(option) => format!("option `{option}` is not supported yet"),
            None => reason,
        };
        let help = if reason.contains("sslmode") {
            "`sslmode` may be `disable`, `prefer` or `require`; checking certificates is not supported yet"
        } else {
            "write `postgres://user:password@host:5432/database`; percent-encode `@`, `:` and `/` in a password"
        };
        error(reason, help)
    })?;
    let odd_host = |host: &Host| matches!(host, Host::Tcp(name) if name.contains(['@', ' ']));
    if config.get_hosts().iter().any(odd_host) || has_two_at_signs(url) {
        // Part of the password has become part of host or database: do not show it.
        let reason = "there are characters in it that must be percent-encoded".to_owned();
        return Err(error(
            reason,
            "percent-encode the password: `@` is `%40`, `:` is `%3A`, `/` is `%2F`",
        ));
    }
    Ok(config)
}

/// One separates the password from the host; the first is taken for it.
fn has_two_at_signs(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    rest.split('?').next().unwrap_or_default().matches('@').count() > 1
}

/// The URL with `port` where a host in it has none: tokio-postgres would take
/// 5432 and not say that it did.
fn with_port(url: &str, port: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let (user, hosts) =
        authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    let at = if user.len() + hosts.len() < authority.len() { "@" } else { "" };
    let has_port = |host: &str| host.rsplit(']').next().is_some_and(|tail| tail.contains(':'));
    let ported = |host: &str| {
        if host.is_empty() || has_port(host) { host.to_owned() } else { format!("{host}:{port}") }
    };
    let hosts: Vec<_> = hosts.split(',').map(ported).collect();
    format!("{scheme}://{user}{at}{}{path}", hosts.join(","))
}

/// What the URL leaves open, from the environment, then from libpq's defaults.
fn fill(
    config: &mut Config,
    environment: &Environment,
    ssl_is_set: bool,
) -> Result<(), ConfigError> {
    let get = |name: &str| environment.get(name);
    if config.get_hosts().is_empty() {
        let host = get("PGHOST").map_or_else(default_host, str::to_owned);
        for host in host.split(',') {
            config.host(host.trim());
        }
    }
    if config.get_ports().is_empty() {
        for port in get("PGPORT").unwrap_or("5432").split(',') {
            config.port(port.trim().parse().map_err(|_| value("PGPORT", "it is no port number"))?);
        }
    }
    if config.get_user().is_none() {
        let user = get("PGUSER").map(str::to_owned).or_else(system_user);
        config.user(user.ok_or_else(|| {
            value("PGUSER", "it is not set, and the system does not know who you are")
        })?);
    }
    if config.get_password().is_none() {
        get("PGPASSWORD").map(|password| config.password(password));
    }
    if config.get_dbname().is_none() {
        let user = config.get_user().unwrap_or_default().to_owned();
        config.dbname(get("PGDATABASE").map_or(user, str::to_owned));
    }
    if config.get_options().is_none() {
        get("PGOPTIONS").map(|options| config.options(options));
    }
    if config.get_application_name().is_none() {
        config.application_name(get("PGAPPNAME").unwrap_or("migraph"));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(connect_timeout(get("PGCONNECT_TIMEOUT"))?);
    }
    keep_alive(config);
    if let Some(mode) = get("PGSSLMODE").filter(|_| !ssl_is_set) {
        config.ssl_mode(ssl_mode(mode)?);
    }
    Ok(())
}

/// Where nothing is said of it: a server whose machine has vanished is noticed within
/// a minute. The kernel would take two hours, or a quarter of one with a question on
/// its way.
fn keep_alive(config: &mut Config) {
    if config.get_keepalives_idle() == KERNELS_IDLE {
        config.keepalives_idle(Duration::from_secs(30));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(10));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_mins(1));
    }
}

fn value(name: &str, reason: &str) -> ConfigError {
    ConfigError::Value { name: name.to_owned(), reason: reason.to_owned() }
}

fn ssl_mode(mode: &str) -> Result<SslMode, ConfigError> {
    match mode {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        _ => Err(value(
            "PGSSLMODE",
            "it may be `disable`, `prefer` or `require`; checking certificates is not supported yet",
        )),
    }
}

/// libpq's: seconds, where 0 means for ever.
fn connect_timeout(seconds: Option<&str>) -> Result<Duration, ConfigError> {
    match seconds.map(str::parse::<u64>) {
        None => Ok(CONNECT_TIMEOUT),
        Some(Ok(0)) => Ok(Duration::from_secs(u64::from(u32::MAX))),
        Some(Ok(seconds)) => Ok(Duration::from_secs(seconds)),
        Some(Err(_)) => Err(value("PGCONNECT_TIMEOUT", "it is no number of seconds")),
    }
}

fn default_host() -> String {
    let has_socket = |dir: &&str| Path::new(dir).join(".s.PGSQL.5432").exists();
    let found = SOCKET_DIRS.into_iter().find(has_socket);
    found
        .or(SOCKET_DIRS.into_iter().find(|dir| Path::new(dir).is_dir()))
        .unwrap_or("localhost")
        .to_owned()
}

fn system_user() -> Option<String> {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(flag: Option<&str>, pairs: &[(&str, &str)]) -> Result<Option<Config>, ConfigError> {
        database(flag, &Environment::from_pairs(pairs.iter().copied()))
    }

    fn shown(config: &Config) -> String {
        let host = match &config.get_hosts()[0] {
            Host::Tcp(name) => name.clone(),
            Host::Unix(dir) => dir.display().to_string(),
        };
        let password = config.get_password().map(String::from_utf8_lossy).unwrap_or_default();
        let (user, name) = (config.get_user().unwrap(), config.get_dbname().unwrap());
        format!("{user}:{password}@{host}:{}/{name}", config.get_ports()[0])
    }

    #[test]
    fn a_vanished_server_is_noticed_unless_the_url_says_otherwise() {
        let seconds = |url: &str| {
            let config = of(Some(url), &[("PGUSER", "u")]).unwrap().unwrap();
            let user_timeout = config.get_tcp_user_timeout().unwrap().as_secs();
            (config.get_keepalives_idle().as_secs(), user_timeout)
        };
        assert_eq!(seconds("postgres://h/d"), (30, 60));
        let own = "postgres://h/d?keepalives_idle=300&tcp_user_timeout=7";
        assert_eq!(seconds(own), (300, 7));
    }

    #[test]
    fn the_nearest_setting_wins_and_the_rest_is_filled() {
        let pg = [
            ("PGHOST", "h"),
            ("PGPORT", "1"),
            ("PGUSER", "u"),
            ("PGPASSWORD", "p"),
            ("PGDATABASE", "d"),
        ];
        let with = |more: &[(&'static str, &'static str)]| [&pg[..], more].concat();
        let cases = [
            (None, with(&[]), "u:p@h:1/d"),
            (None, with(&[("DATABASE_URL", "postgres://a/b")]), "u:p@a:1/b"),
            (
                None,
                with(&[
                    ("DATABASE_URL", "postgres://a/b"),
                    ("MIGRAPH_DATABASE_URL", "postgresql://c:9/x"),
                ]),
                "u:p@c:9/x",
            ),
            (
                Some("postgres://me:pw@f/x"),
                with(&[("DATABASE_URL", "postgres://a/b")]),
                "me:pw@f:1/x",
            ),
            (Some("host=/run/x dbname=k"), with(&[]), "u:p@/run/x:1/k"),
            (None, vec![("PGDATABASE", "d"), ("PGUSER", "u"), ("PGHOST", "")], "u:@"),
        ];
        for (flag, pairs, expected) in cases {
            let found = shown(&of(flag, &pairs).unwrap().unwrap());
            assert!(found.starts_with(expected), "{found} {expected}");
        }
        assert!(of(None, &[("PGUSER", "u"), ("PGPORT", "1")]).unwrap().is_none());
    }

    #[test]
    fn no_message_holds_a_part_of_a_password() {
        for url in [
            "postgres://u:sec@ret@h/d",
            "postgres://u:secret@h:port/d",
            "postgres://u:secret@h/d?sslmode=verify-full",
            "postgres://u:secret@h/d?foo=secret",
            "host=h password=my secret",
            "host=h password=my secret=x",
            "postgres://u:my@secret/x@h/d",
            "u:secret",
        ] {
            let error = of(Some(url), &[]).unwrap_err();
            let all = format!("{error} {error:?} {}", error.help());
            assert!(!all.contains("ret") || all.contains("unexpected"), "{all}");
            assert!(!all.contains("secret"), "{all}");
        }
    }
}
