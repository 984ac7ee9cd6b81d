//! A network between a runner and the server that can be cut.
//!
//! Each connection is cut in two moves. When the runner loses it first, the server may
//! commit and cannot say so; when the server does, the runner does not know that its
//! lock or its transaction is gone.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    lines: Mutex<Vec<Line>>,
    closed: AtomicBool,
}

/// One connection.
struct Line {
    /// Our end of the way to the server, which it knows as the client's port.
    port: u16,
    client: TcpStream,
    server: TcpStream,
}

impl Proxy {
    /// A way to the server on `to`.
    pub fn new(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { lines: Mutex::default(), closed: AtomicBool::new(false) });
        let accepting = Arc::clone(&shared);
        spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.closed.load(Ordering::Relaxed) {
                    return;
                }
                // While the server is down, the runner's connection just closes.
                let _ = accepting.connect(client, to);
            }
        });
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the connection whose port the server knows, or all of them: at the end
    /// `first` now, at the other after `late`. True if there was one.
    pub fn cut(&self, port: Option<u16>, (first, late): (End, Duration)) -> bool {
        let mut lines = self.shared.lines.lock().unwrap();
        let is_meant = |line: &mut Line| port.is_none_or(|port| port == line.port);
        let cut: Vec<_> = lines.extract_if(.., is_meant).collect();
        cut.iter().for_each(|line| line.shut(first));
        let any = !cut.is_empty();
        spawn(move || {
            sleep(late);
            for end in [End::Runner, End::Server] {
                cut.iter().for_each(|line| line.shut(end));
            }
        });
        any
    }
}

/// Of a connection.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Runner,
    Server,
}

impl Line {
    fn shut(&self, end: End) {
        let stream = match end {
            End::Runner => &self.client,
            End::Server => &self.server,
        };
        // It may have been closed from the other side.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream, to: u16) -> std::io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", to))?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        let port = server.local_addr()?.port();
        let copy = (client.try_clone()?, server.try_clone()?);
        let line = Line { port, client: client.try_clone()?, server: server.try_clone()? };
        self.lines.lock().unwrap().push(line);
        let shared = Arc::clone(self);
        spawn(move || shared.pass(client, server, port));
        let shared = Arc::clone(self);
        spawn(move || shared.pass(copy.1, copy.0, port));
        Ok(())
    }

    /// Passes on what comes until one end closes, and then closes the other, unless
    /// the line was cut: then that is the cutter's to do.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, port: u16) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let mut lines = self.lines.lock().unwrap();
        for line in lines.extract_if(.., |line| line.port == port) {
            line.shut(End::Runner);
            line.shut(End::Server);
        }
    }
}
