//! A network that swallows everything and says nothing, neither side closed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::spawn;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::crashes::running;
use super::harness::{Database, Project, start};

/// A way to `database` that passes nothing on once the switch is thrown.
fn switchable(database: &Database) -> (Database, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = Arc::new(AtomicBool::new(false));
    let (to, switch) = (database.port, Arc::clone(&silent));
    spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            for (from, to) in [(client, server), back] {
                let silent = Arc::clone(&silent);
                spawn(move || pass(from, to, &silent));
            }
        }
    });
    (Database { name: database.name.clone(), port }, switch)
}

fn pass(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !silent.load(Ordering::Relaxed) && to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    if !silent.load(Ordering::Relaxed) {
        let _ = to.shutdown(std::net::Shutdown::Both);
    }
}

#[test]
fn a_run_that_hears_nothing_more_ends_and_says_what_it_does_not_know() {
    let project = Project::new(&[
        ("0001_one", "", "SELECT pg_sleep(600);"),
        ("0002_steps", "", "VACUUM;\nDO 'BEGIN PERFORM pg_sleep(600); COMMIT; END';"),
    ]);
    let (database, silent) = switchable(&project.database);
    let args = ["up", "--trust-declared", "--format", "json"];
    let run = start(project.dir.path(), &database.url(), &args, &[]);
    running(&project.database, "pg_sleep(600)", 2);
    silent.store(true, Ordering::Relaxed);
    let began = Instant::now();
    // Whoever wants it to end at once cannot have that: the server may be at work.
    run.signal(Signal::SIGTERM);
    let json = run.end().exits(143).json();
    assert!(began.elapsed() < Duration::from_mins(2), "{:?}", began.elapsed());
    for migration in json["migrations"].as_array().unwrap() {
        let failure = &migration["failure"];
        assert!(["unknown", "interrupted"].contains(&failure["kind"].as_str().unwrap()), "{json}");
        assert!(failure["message"].as_str().unwrap().contains("has not answered"), "{json}");
    }
}
