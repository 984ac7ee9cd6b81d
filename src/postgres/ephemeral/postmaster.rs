//! One run of the server process: start, readiness, stop.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::binaries::Binaries;
use super::home::Home;
use super::owner::Owner;
use super::{EphemeralError, Listen, SUPERUSER, StopMode, poll};

/// How long a start may take; recovery after an immediate stop is part of it.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// How long each way of stopping may take before a harsher one is tried.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How many of the log's last lines an error shows.
const LOG_LINES: usize = 20;

/// Waits for a word from us and then becomes the server. So the guard learns of the
/// process before it is a server; if we die in between, the word never comes.
const LAUNCHER: &str = r#"read -r word && exec "$@" </dev/null"#;

/// The standing settings. The data need not outlast the machine, so nothing is synced.
/// `synchronous_commit` stays on: it makes a commit outlast the *server*.
const SETTINGS: [(&str, &str); 2] = [("fsync", "off"), ("full_page_writes", "off")];

/// Everything that a run of the server depends on.
pub(super) struct Start<'a> {
    pub(super) binaries: &'a Binaries,
    pub(super) owner: &'a Owner,
    pub(super) home: &'a Home,
    pub(super) listen: Listen,
    pub(super) port: u16,
    pub(super) settings: &'a [(String, String)],
}

impl Start<'_> {
    /// Starts the process; it waits for [`Postmaster::go`].
    pub(super) fn launch(&self) -> Result<Postmaster, EphemeralError> {
        let log_start = self.home.log_length();
        let child =
            self.command()?.spawn().map_err(EphemeralError::io("run", self.binaries.postgres()))?;
        Ok(Postmaster { child, port: self.port, log_start })
    }

    fn command(&self) -> Result<Command, EphemeralError> {
        let mut command = self.owner.command("/bin/sh");
        command
            .args(["-c", LAUNCHER, "migraph-launcher"])
            .arg(self.binaries.postgres())
            .arg("-D")
            .arg(self.home.data_dir())
            .args(self.settings())
            .stdin(Stdio::piped())
            .stdout(self.home.log_output()?)
            .stderr(self.home.log_output()?)
            .process_group(0);
        Ok(command)
    }

    fn settings(&self) -> Vec<String> {
        let home = self.home;
        let addresses = match self.listen {
            Listen::UnixSocket => "",
            Listen::Tcp => "127.0.0.1",
        };
        let places = [
            ("listen_addresses", addresses.to_owned()),
            ("port", self.port.to_string()),
            ("unix_socket_directories", quoted(home.path())),
            ("hba_file", home.hba_file().display().to_string()),
        ];
        let standing = SETTINGS.map(|(name, value)| (name, value.to_owned()));
        let given = self.settings.iter().map(|(n, v)| (n.as_str(), v.clone()));
        let all = places.into_iter().chain(standing).chain(given);
        all.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect()
    }
}

/// A path as an element of one of the server's lists, in which a comma separates.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('"', "\"\""))
}

/// The server's main process, a child of ours until it is stopped.
///
/// We do not wait for it anywhere else, so its process id cannot be another's.
pub(super) struct Postmaster {
    child: Child,
    port: u16,
    log_start: u64,
}

impl Postmaster {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets the launcher become the server, now that the guard knows it.
    pub(super) fn go(&mut self) -> Result<(), EphemeralError> {
        self.child
            .stdin
            .take()
            .map_or(Ok(()), |mut pipe| pipe.write_all(b"go\n"))
            .map_err(EphemeralError::io("write to", "migraph-launcher"))
    }

    /// Waits until the server takes connections.
    pub(super) fn wait_until_ready(&mut self, home: &Home) -> Result<(), EphemeralError> {
        let pid_file = home.data_dir().join("postmaster.pid");
        let state = poll(START_PATIENCE, || match self.child.try_wait() {
            Ok(Some(status)) => Some(Err(status)),
            _ => self.says_ready(&pid_file).then_some(Ok(())),
        });
        let log = home.log_since(self.log_start);
        match state {
            Some(Ok(())) => Ok(()),
            Some(Err(status)) => Err(self.why_ended(status, &log)),
            None => Err(EphemeralError::NotReady { waited: START_PATIENCE, log: last_lines(&log) }),
        }
    }

    /// Whether the server has noted in its lock file that it is open. A crashed one leaves
    /// its file behind, so the process id in it counts.
    fn says_ready(&self, pid_file: &Path) -> bool {
        let text = fs::read_to_string(pid_file).unwrap_or_default();
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        pid == Some(self.pid()) && lines.nth(6).is_some_and(|line| line.trim() == "ready")
    }

    fn why_ended(&self, status: ExitStatus, log: &str) -> EphemeralError {
        if log.contains("could not bind IPv4 address") {
            return EphemeralError::PortTaken { port: self.port };
        }
        EphemeralError::Ended { status, log: last_lines(log) }
    }

    /// Ends the server, by force if the asked way takes too long.
    pub(super) fn stop(&mut self, mode: StopMode) -> Result<(), EphemeralError> {
        let signals: &[Signal] = match mode {
            StopMode::Fast => &[Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL],
            StopMode::Immediate => &[Signal::SIGQUIT, Signal::SIGKILL],
        };
        for signal in signals {
            if self.has_ended(Duration::ZERO) {
                return Ok(());
            }
            self.signal(*signal)?;
            if self.has_ended(STOP_PATIENCE) {
                return Ok(());
            }
        }
        Err(EphemeralError::DoesNotEnd { pid: self.pid() })
    }

    fn has_ended(&mut self, patience: Duration) -> bool {
        poll(patience, || self.child.try_wait().transpose()).is_some()
    }

    fn signal(&self, signal: Signal) -> Result<(), EphemeralError> {
        let pid = i32::try_from(self.pid()).map_err(|_| Errno::ESRCH);
        pid.and_then(|pid| kill(Pid::from_raw(pid), signal))
            .map_err(|errno| EphemeralError::io("signal", "postgres")(errno.into()))
    }
}

/// Gives the superuser of a cluster that is not running a password.
///
/// The server gets its SCRAM verifier: the password itself is in no command and no log.
pub(super) fn set_password(
    binaries: &Binaries,
    owner: &Owner,
    data: &Path,
    password: &str,
) -> Result<(), EphemeralError> {
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let postgres = binaries.postgres();
    let mut single = owner
        .command(&postgres)
        .args(["--single", "-F", "-D"])
        .arg(data)
        .arg(SUPERUSER)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(EphemeralError::io("run", &postgres))?;
    if let Some(mut pipe) = single.stdin.take() {
        let statement = format!("ALTER ROLE {SUPERUSER} PASSWORD '{verifier}'\n");
        pipe.write_all(statement.as_bytes()).map_err(EphemeralError::io("write to", &postgres))?;
    }
    let output = single.wait_with_output().map_err(EphemeralError::io("run", &postgres))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    // It goes on after an error and still exits with 0.
    if output.status.success() && !complaints.contains("ERROR:") {
        return Ok(());
    }
    Err(EphemeralError::Program {
        program: postgres,
        status: output.status,
        output: complaints.trim().to_owned(),
    })
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_the_end_of_the_log() {
        assert_eq!(last_lines(""), "");
        assert_eq!(last_lines("one\ntwo\n"), "one\ntwo");
        let long = (0..30).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(last_lines(&long.join("\n")), long[10..].join("\n"));
    }

    #[test]
    fn only_a_lock_file_of_this_very_process_counts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("postmaster.pid");
        let mut sleeper = Postmaster {
            child: Command::new("sleep").arg("60").spawn().unwrap(),
            port: 0,
            log_start: 0,
        };
        let pid = sleeper.pid();
        let cases = [
            (pid, "ready   ", true),
            (pid, "starting", false),
            (pid, "standby ", false),
            (pid + 1, "ready   ", false),
        ];
        for (pid, status, expected) in cases {
            let text = format!("{pid}\n/data\n1\n5432\n/tmp\n\n  1 2\n{status}\n");
            fs::write(&file, &text).unwrap();
            assert_eq!(sleeper.says_ready(&file), expected, "{text}");
        }
        fs::write(&file, format!("{pid}\n/data\n")).unwrap();
        assert!(!sleeper.says_ready(&file));
        sleeper.stop(StopMode::Immediate).unwrap();
        assert!(sleeper.has_ended(Duration::ZERO));
    }

    #[test]
    fn a_directory_with_a_comma_is_one_directory() {
        assert_eq!(quoted(Path::new("/a,b\"c")), r#""/a,b""c""#);
    }
}
