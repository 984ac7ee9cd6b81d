//! The shell that clears up if we cannot.
//!
//! It reads from a pipe that we alone hold open (Rust opens files close-on-exec, so no
//! other child of ours inherits it). The pipe closes when we drop it, and when we die of
//! whatever; `guard.sh` says what happens then.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::owner::Owner;
use super::{EphemeralError, poll};

/// Longer than the guard takes at worst to give up.
const PATIENCE: Duration = Duration::from_secs(12);

/// A running guard; dropping it makes it do its work and waits for that.
pub(super) struct Guard {
    shell: Child,
}

impl Guard {
    /// Starts guarding `dir`, for which the guard must be allowed to remove it.
    pub(super) fn spawn(owner: &Owner, dir: &Path) -> Result<Self, EphemeralError> {
        let shell = owner
            .command("/bin/sh")
            .arg("-c")
            .arg(include_str!("guard.sh"))
            .arg("migraph-guard")
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(EphemeralError::io("run", "/bin/sh"))?;
        Ok(Self { shell })
    }

    /// Tells which process to end along with us; none while no server runs.
    pub(super) fn watch(&mut self, server: Option<u32>) -> Result<(), EphemeralError> {
        let line = server.map_or_else(String::new, |pid| pid.to_string()) + "\n";
        self.shell
            .stdin
            .as_mut()
            .map_or(Ok(()), |pipe| pipe.write_all(line.as_bytes()))
            .map_err(EphemeralError::io("write to", "migraph-guard"))
    }

    /// Closes the pipe and waits until the guard has ended, so that it is no zombie.
    pub(super) fn finish(&mut self) {
        drop(self.shell.stdin.take());
        if poll(PATIENCE, || self.shell.try_wait().transpose()).is_none() {
            let _ = self.shell.kill();
            let _ = self.shell.wait();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::home::Home;
    use super::*;

    fn guarded_home() -> (Home, Guard) {
        let owner = Owner::find().unwrap();
        let home = Home::create(None, &owner, false).unwrap();
        let guard = Guard::spawn(&owner, home.path()).unwrap();
        (home, guard)
    }

    /// Waits until the shell has run its first line, which tells us nothing itself.
    fn wait_for_traps(pid: u32) {
        let status = format!("/proc/{pid}/status");
        let ignores = || {
            let status = std::fs::read_to_string(&status).ok()?;
            let line = status.lines().find(|line| line.starts_with("SigIgn:"))?;
            // SIGTERM, the last of the list, has the number 15.
            let set = u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()?;
            (set & 1 << 14 != 0).then_some(())
        };
        let patience = if cfg!(target_os = "linux") { 10 } else { 1 };
        poll(Duration::from_secs(patience), ignores);
    }

    #[test]
    fn the_end_of_the_pipe_ends_the_process_and_the_directory() {
        let (home, mut guard) = guarded_home();
        let mut server = Owner::find().unwrap().command("sleep").arg("60").spawn().unwrap();
        guard.watch(Some(server.id())).unwrap();
        drop(guard.shell.stdin.take());
        assert!(!server.wait().unwrap().success());
        guard.finish();
        assert!(!home.path().exists());
    }

    #[test]
    fn a_process_that_is_no_longer_watched_lives_on() {
        let (home, mut guard) = guarded_home();
        let mut server = Owner::find().unwrap().command("sleep").arg("60").spawn().unwrap();
        guard.watch(Some(server.id())).unwrap();
        guard.watch(None).unwrap();
        drop(guard);
        assert!(!home.path().exists());
        assert_eq!(server.try_wait().unwrap(), None);
        server.kill().unwrap();
        server.wait().unwrap();
    }

    #[test]
    fn signals_do_not_end_the_guard() {
        let (home, mut guard) = guarded_home();
        wait_for_traps(guard.shell.id());
        for signal in ["-HUP", "-INT", "-QUIT", "-TERM"] {
            let pid = guard.shell.id().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(guard.shell.try_wait().unwrap(), None);
        assert!(home.path().exists());
    }
}
