//! The settings that every session of ours has, whatever ran in it before.
//!
//! Startup options are what `DISCARD ALL` returns to, so that is where they go.
//! A connection pooler cannot pass startup options on; behind one they are set by
//! a statement instead, again after each `DISCARD ALL`.

use postgres_protocol::escape::escape_literal;

/// A setting's name and its value.
pub(super) type Setting = (String, String);

/// What every version knows. The lexer's idea of a string must be the server's. A
/// machine that vanished together with its migraph would otherwise hold the run lock
/// until the kernel's keepalive notices, usually for two hours; now for a minute.
const ALWAYS: [(&str, &str); 5] = [
    ("standard_conforming_strings", "on"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "60000"),
];

/// Settings of 14 and later. A backend whose client is gone ends its statement
/// within half a second; an idle session of ours is not ended by the server.
const SINCE_14: [(&str, &str); 2] =
    [("client_connection_check_interval", "500ms"), ("idle_session_timeout", "0")];

/// Our own settings on a server of `version` (as in `server_version_num`); 0 when
/// it is not known yet. An unknown setting among the startup options is fatal.
pub(super) fn ours<'a>(version: u32) -> impl Iterator<Item = (&'a str, &'a str)> {
    let newer = if version >= 140_000 { &SINCE_14[..] } else { &[] };
    ALWAYS.iter().chain(newer).copied()
}

/// `settings` as startup options. No value of ours needs quoting.
pub(super) fn as_options<'a>(settings: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    settings.map(|(name, value)| format!("-c {name}={value}")).collect::<Vec<_>>().join(" ")
}

/// `settings` as one statement, which reads a value exactly as the startup
/// options would; `SET search_path = 'a,b'` would mean one schema of that name.
pub(super) fn as_statement<'a>(settings: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let call = |(name, value)| {
        format!("pg_catalog.set_config({},{},false)", escape_literal(name), escape_literal(value))
    };
    format!("SELECT {}", settings.map(call).collect::<Vec<_>>().join(","))
}

/// The settings in startup options such as PGOPTIONS; an error is the word that
/// is none. White space separates words, a backslash takes its meaning away
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS>).
pub(super) fn parse_options(options: &str) -> Result<Vec<Setting>, String> {
    let mut words = words(options).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") => words.next(),
            Some(rest) => Some(rest.to_owned()),
            None => None,
        };
        let parts = assignment.as_deref().and_then(|it| it.split_once('='));
        let (name, value) = parts.ok_or(word)?;
        settings.push((name.trim().replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn startup_options_are_read_as_the_server_reads_them() {
        let cases = [
            ("", Ok("")),
            ("-c a=1", Ok("a:1")),
            ("  -ca=1  --b-c=2 ", Ok("a:1 b_c:2")),
            (r"-c search_path=a,\ b\\", Ok(r"search_path:a, b\")),
            ("-c a.b=x=y", Ok("a.b:x=y")),
            ("-c a=", Ok("a:")),
            ("-c a=1 -d 5", Err("-d")),
            ("-c", Err("-c")),
            ("-c a", Err("-c")),
            ("loose", Err("loose")),
        ];
        for (options, expected) in cases {
            let found = parse_options(options).map(|all| {
                all.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>()
            });
            let found = found.map(|all| all.join(" "));
            let found = found.as_deref().map_err(String::as_str);
            assert_eq!(found, expected, "{options:?}");
        }
    }

    #[test]
    fn a_newer_server_gets_more_settings() {
        assert!(as_options(ours(0)).starts_with("-c standard_conforming_strings=on -c tcp_"));
        assert_eq!(as_options(ours(130_020)), as_options(ours(0)));
        assert!(as_options(ours(140_000)).ends_with(" -c idle_session_timeout=0"));
    }

    #[test]
    fn a_value_is_quoted_in_the_statement() {
        let settings = [("search_path", "a,\"b\""), ("x.y", "it's")];
        let expected = "SELECT pg_catalog.set_config('search_path','a,\"b\"',false),pg_catalog.set_config('x.y','it''s',false)";
        assert_eq!(as_statement(settings.into_iter()), expected);
    }
}
