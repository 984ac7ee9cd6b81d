//! A network that is cut while the server works on, commits, and cannot say so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{sleep, spawn};
use std::time::Duration;

use super::harness::{Database, Project, UNWATCHED, start};

/// Where a connection is to be cut.
#[derive(Clone, Copy)]
enum Cut {
    /// Some time behind what a script says. The server takes long enough behind it to
    /// commit unseen.
    Behind(&'static [u8]),
    /// When this is sent, so that no answer to it comes back.
    At(&'static [u8]),
    Never,
}

const CUT: Cut = Cut::Behind(b"pg_sleep(0.9)");

/// A way to `database` that cuts each connection.
fn cutting(database: &Database, cut: Cut) -> Database {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = database.port;
    spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (to_client, from_server) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            spawn(move || pass(from_server, to_client, Cut::Never));
            spawn(move || pass(client, server, cut));
        }
    });
    Database { name: database.name.clone(), port }
}

/// Passes on what comes, until the end or the cut.
fn pass(mut from: TcpStream, mut to: TcpStream, cut: Cut) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let has = |mark: &[u8]| buffer[..length].windows(mark.len()).any(|it| it == mark);
        let (at, behind) = match cut {
            Cut::At(mark) => (has(mark), false),
            Cut::Behind(mark) => (false, has(mark)),
            Cut::Never => (false, false),
        };
        if at {
            let _ = from.shutdown(Shutdown::Both);
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
        if at || behind {
            sleep(Duration::from_millis(200));
            let _ = from.shutdown(Shutdown::Both);
            // The server commits and finds nobody to tell.
            sleep(Duration::from_millis(1500));
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn project(sql: &str) -> Project {
    Project::new(&[("0001_n", "", "CREATE TABLE n (i int);"), ("0002_s", "0001_n", sql)])
}

const NUMBERS: &str = "SELECT string_agg(i::text, ' ' ORDER BY i) FROM n";

fn unseen() -> String {
    format!("{UNWATCHED} SELECT pg_sleep(0.9);")
}

#[test]
fn what_was_committed_unseen_is_found_in_the_ledger() {
    let unseen = unseen();
    let cases = [
        format!("INSERT INTO n SELECT 1; {unseen}"),
        format!("COPY n FROM stdin;\n1\n\\.\n{unseen}"),
        format!("INSERT INTO n SELECT 1;\nBEGIN; {unseen} COMMIT;"),
    ];
    for sql in cases {
        let project = project(&sql);
        let url = cutting(&project.database, CUT).url();
        let ended = start(project.dir.path(), &url, &["up"], &[]).end().exits(0);
        ended.says(&["healed 0002_s: the answer to COMMIT was lost, and the ledger shows"]);
        assert_eq!(project.database.sql(NUMBERS), "1", "{sql}");
        assert_eq!(project.ledger(), "0001_n 0002_s");
    }
}

#[test]
fn a_segment_that_was_committed_unseen_is_not_run_again() {
    let sql = format!(
        "BEGIN; INSERT INTO n SELECT 1; {} COMMIT;\nBEGIN; INSERT INTO n SELECT 2; COMMIT;",
        unseen()
    );
    let project = project(&sql);
    let url = cutting(&project.database, CUT).url();
    let ended = start(project.dir.path(), &url, &["up"], &[]).end().exits(1);
    ended.says(&[
        "begins with statement 1 is done and recorded",
        "the connection was lost behind it",
    ]);
    assert_eq!(project.database.sql(NUMBERS), "1");
    project.run(&["up"]).exits(0);
    assert_eq!(project.database.sql(NUMBERS), "1 2");
}

#[test]
fn what_was_cut_off_before_its_commit_is_rolled_back() {
    let slow = "INSERT INTO n SELECT 1; SELECT pg_sleep(0.9);";
    let cases = [
        // COMMIT is in the message, but the backend notices that nobody is there.
        (format!("{slow} SELECT pg_sleep(60);"), "nothing of it was applied", true),
        (format!("BEGIN; {slow} SELECT pg_sleep(60); COMMIT; SELECT 1;"), "is rolled back", true),
        // COMMIT would have come with a later message.
        (format!("{slow}\nCOPY n FROM stdin;\n2\n\\."), "all of which is rolled back", false),
    ];
    for (sql, message, by_noticing) in cases {
        let project = project(&sql);
        let url = cutting(&project.database, CUT).url();
        // Before 14 it does not notice, and nobody can know yet what will become of it.
        let message = match project.database.watches_clients() || !by_noticing {
            true => message,
            false => "not known whether the migration is applied: its backend is still working",
        };
        start(project.dir.path(), &url, &["up"], &[]).end().exits(1).says(&[message]);
        project.database.end_orphans();
        project.database.until_gone();
        assert_eq!(project.database.sql(NUMBERS), "", "{sql}");
        project.write("0002_s", "0001_n", "INSERT INTO n SELECT 3;");
        project.run(&["up"]).exits(0);
        assert_eq!(project.database.sql(NUMBERS), "3");
    }
}

#[test]
fn a_script_whose_record_was_committed_unseen_is_applied() {
    let project = project("INSERT INTO n SELECT 1;\nVACUUM n;");
    let record = Cut::At(b"pg_catalog.min(started_at)");
    let url = cutting(&project.database, record).url();
    let ended = start(project.dir.path(), &url, &["up"], &[]).end().exits(0);
    ended.says(&["healed 0002_s: the answer to COMMIT was lost, and the ledger shows"]);
    assert_eq!(project.ledger(), "0001_n 0002_s");
}
