//! What is waited for, and how to end it.

use std::fmt::Write as _;

use super::text::duration;
use crate::postgres::{ConnectError, Doing, Holder, Waiting, WaitingFor};

/// A server that is not ready.
pub(crate) fn for_server(error: &ConnectError) -> String {
    format!("waiting for the server: {error}")
}

/// Another run, or what is left of one.
pub(crate) fn for_lock(waiting: &Waiting) -> String {
    match waiting.reason {
        WaitingFor::Run => for_run(waiting),
        WaitingFor::Orphan => for_orphans(waiting),
    }
}

fn for_run(waiting: &Waiting) -> String {
    let mut text = "waiting for another run to end".to_owned();
    for holder in &waiting.holders {
        let _ = write!(text, "\n  it is led by {}", session(holder));
    }
    let mut busy = false;
    for (worker, doing) in waiting.workers.iter().filter_map(|it| Some((it, it.doing.as_ref()?))) {
        busy = true;
        let _ = write!(text, "\n  pid {} applies {}", worker.pid, work(doing));
    }
    if !busy && !waiting.holders.is_empty() {
        text.push_str("\n  it applies nothing at this moment");
    }
    for holder in &waiting.holders {
        let _ = write!(
            text,
            "\n  to end it: stop that migraph on {}, or SELECT pg_terminate_backend({});",
            host(holder),
            holder.pid
        );
    }
    text
}

fn for_orphans(waiting: &Waiting) -> String {
    let mut text = "waiting for what a run that died has left working".to_owned();
    for holder in &waiting.holders {
        let _ = write!(text, "\n  {}", session(holder));
        if let Some(doing) = &holder.doing {
            let _ = write!(text, "\n  it applies {}", work(doing));
        }
        let _ = write!(text, "\n  to end it: SELECT pg_terminate_backend({});", holder.pid);
    }
    text
}

fn session(holder: &Holder) -> String {
    let Holder { pid, application, user, since, .. } = holder;
    format!("pid {pid} ({application}, user {user}, from {}, since {since})", host(holder))
}

/// Without an address, it came through a Unix socket.
fn host(holder: &Holder) -> &str {
    if holder.client.is_empty() { "the server's own host" } else { &holder.client }
}

fn work(doing: &Doing) -> String {
    let elapsed = duration(doing.elapsed);
    let what = doing.migration.as_deref().unwrap_or("a statement");
    match doing.sql.as_str() {
        "" => format!("{what}, for {elapsed}"),
        sql => format!("{what}, for {elapsed}: {sql}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn holder(pid: i32, doing: Option<(Option<&str>, &str)>) -> Holder {
        let doing = doing.map(|(migration, sql)| Doing {
            migration: migration.map(str::to_owned),
            elapsed: Duration::from_secs(75),
            sql: sql.to_owned(),
        });
        Holder {
            pid,
            application: "migraph".into(),
            user: "ada".into(),
            client: if pid == 7 { String::new() } else { "10.0.0.1".into() },
            since: "2024-01-31 09:30:00 UTC".into(),
            doing,
        }
    }

    #[test]
    fn who_holds_the_lock_what_they_do_and_how_to_end_it() {
        let run = Waiting {
            reason: WaitingFor::Run,
            holders: vec![holder(5, None)],
            workers: vec![
                holder(6, Some((Some("0042_orders"), "CREATE TABLE a ();"))),
                holder(8, Some((None, ""))),
                holder(9, None),
            ],
        };
        assert_eq!(
            for_lock(&run),
            "waiting for another run to end
  it is led by pid 5 (migraph, user ada, from 10.0.0.1, since 2024-01-31 09:30:00 UTC)
  pid 6 applies 0042_orders, for 1 min 15 s: CREATE TABLE a ();
  pid 8 applies a statement, for 1 min 15 s
  to end it: stop that migraph on 10.0.0.1, or SELECT pg_terminate_backend(5);"
        );
        let idle = Waiting { workers: vec![], ..run };
        assert!(for_lock(&idle).contains("\n  it applies nothing at this moment\n"));
        let gone = Waiting { holders: vec![], ..idle };
        assert_eq!(for_lock(&gone), "waiting for another run to end");
        let orphan = Waiting {
            reason: WaitingFor::Orphan,
            holders: vec![holder(7, Some((Some("0042_orders"), "")))],
            workers: vec![],
        };
        assert_eq!(
            for_lock(&orphan),
            "waiting for what a run that died has left working
  pid 7 (migraph, user ada, from the server's own host, since 2024-01-31 09:30:00 UTC)
  it applies 0042_orders, for 1 min 15 s
  to end it: SELECT pg_terminate_backend(7);"
        );
    }
}
