//! Doing to the runners and to the server what the schedule says.

use std::time::Duration;

use migraph::postgres::ephemeral::StopMode;
use nix::sys::signal::Signal;

use crate::fault::{Aim, Fault, Planned};
use crate::proxy::End;
use crate::server::Session;
use crate::storm::Storm;

impl Storm<'_> {
    pub fn inject(&mut self, planned: Planned) {
        let sessions = self.observer.sessions();
        match planned.fault {
            Fault::Kill | Fault::Terminate | Fault::Interrupt | Fault::InterruptTwice => {
                let at = self.some_runner(&sessions, planned.choice);
                self.strike(planned.fault, at);
            }
            Fault::Pause => self.pause(&sessions, planned),
            Fault::EndWorker | Fault::CancelWorker | Fault::EndLock => {
                self.end_session(&sessions, planned);
            }
            Fault::Stall => self.stall(&sessions, planned),
            Fault::CutWorker | Fault::CutLock | Fault::DeafLock | Fault::CutAll => {
                self.cut(&sessions, planned);
            }
            Fault::CrashBackend => self.crash(&sessions, planned),
            Fault::StopImmediate => self.restart(&sessions, planned, StopMode::Immediate),
            Fault::StopFast => self.restart(&sessions, planned, StopMode::Fast),
        }
    }

    /// The index of the runner that has the lock, most of the time.
    fn some_runner(&self, sessions: &[Session], choice: usize) -> usize {
        let leader = sessions.iter().find(|session| session.leads);
        let leader = leader.and_then(|it| self.runner_of(it));
        leader.filter(|_| !choice.is_multiple_of(5)).unwrap_or(choice % self.runners.len())
    }

    fn runner_of(&self, session: &Session) -> Option<usize> {
        self.runners.iter().position(|runner| runner.name == session.runner)
    }

    fn note(&mut self, fault: Fault, victim: &str, hit: &[&Session]) {
        let what: Vec<_> = hit.iter().map(|it| format!("{} `{}`", it.pid, it.query)).collect();
        self.journal.note(&format!("! {}: {victim}, hits [{}]", fault.name(), what.join(", ")));
        self.tally.fault(fault, !hit.is_empty(), hit.iter().any(|it| it.is_bare()));
    }

    /// A signal to the runner at `at`.
    pub fn strike(&mut self, fault: Fault, at: usize) {
        let sessions = self.observer.sessions();
        let runner = &mut self.runners[at];
        let signals: &[Signal] = match fault {
            Fault::Kill => &[Signal::SIGKILL],
            Fault::Terminate => &[Signal::SIGTERM],
            Fault::InterruptTwice => &[Signal::SIGINT, Signal::SIGINT],
            _ => &[Signal::SIGINT],
        };
        for signal in signals {
            runner.signal(*signal);
            std::thread::sleep(Duration::from_millis(u64::from(signals.len() > 1) * 20));
        }
        let name = runner.name.clone();
        let hit: Vec<_> = sessions.iter().filter(|it| it.works && it.runner == name).collect();
        self.note(fault, &name, &hit);
    }

    /// A runner that stands still does not see its lock go, nor another run begin.
    fn pause(&mut self, sessions: &[Session], planned: Planned) {
        let at = self.some_runner(sessions, planned.choice);
        self.runners[at].signal(Signal::SIGSTOP);
        let name = self.runners[at].name.clone();
        let hit: Vec<_> = sessions.iter().filter(|it| it.works && it.runner == name).collect();
        self.note(planned.fault, &name, &hit);
        let lock = sessions.iter().find(|it| it.leads && it.runner == name);
        if let Some(lock) = lock.filter(|_| !planned.choice.is_multiple_of(3)) {
            self.journal.note(&format!("  and its lock is taken from it: {}", lock.pid));
            self.observer.query(&format!("SELECT pg_terminate_backend({})", lock.pid));
        }
        // Somebody else is to take over.
        self.crowd += 1;
        self.wait(planned.lasts * 2);
        self.crowd -= 1;
        if let Some(runner) = self.runners.iter_mut().find(|runner| runner.name == name) {
            runner.signal(Signal::SIGCONT);
        }
    }

    /// One of the sessions that a fault of this kind is for.
    fn target<'s>(&self, sessions: &'s [Session], planned: Planned) -> Option<&'s Session> {
        let of_lock = planned.fault.is_of_lock();
        let fits = |session: &&Session| {
            let is_meant = if of_lock { session.leads } else { session.works };
            let runner = self.runner_of(session);
            let can = |at: usize| !planned.fault.cuts() || self.runners[at].proxy.is_some();
            is_meant && runner.is_some_and(can)
        };
        let mut fitting: Vec<_> = sessions.iter().filter(fits).collect();
        if planned.aim == Aim::Bare && fitting.iter().any(|it| it.is_bare()) {
            fitting.retain(|it| it.is_bare());
        }
        fitting.get(planned.choice % fitting.len().max(1)).copied()
    }

    /// Whoever works for the same runner as `session`, which is the lock's; or itself.
    fn hit_with<'s>(sessions: &'s [Session], session: &'s Session) -> Vec<&'s Session> {
        let works = |it: &&Session| it.works && it.runner == session.runner;
        match session.leads {
            true => sessions.iter().filter(works).collect(),
            false => vec![session],
        }
    }

    fn end_session(&mut self, sessions: &[Session], planned: Planned) {
        let Some(session) = self.target(sessions, planned) else { return };
        let function = match planned.fault {
            Fault::CancelWorker => "pg_cancel_backend",
            _ => "pg_terminate_backend",
        };
        let at = self.runner_of(session).expect("it was looked for");
        self.runners[at].touched = true;
        self.observer.query(&format!("SELECT {function}({})", session.pid));
        let victim = session.runner.clone();
        self.note(planned.fault, &victim, &Self::hit_with(sessions, session));
    }

    fn cut(&mut self, sessions: &[Session], planned: Planned) {
        let Some(session) = self.target(sessions, planned) else { return };
        let at = self.runner_of(session).expect("it was looked for");
        let runner = &mut self.runners[at];
        runner.touched = true;
        runner.was_cut = true;
        let port = (planned.fault != Fault::CutAll).then_some(session.port);
        let ends = match planned.fault {
            Fault::CutLock => (End::Runner, planned.lasts),
            Fault::DeafLock => (End::Server, planned.lasts * 3),
            _ if planned.choice.is_multiple_of(3) => (End::Server, planned.lasts),
            _ => (End::Runner, planned.lasts),
        };
        let proxy = runner.proxy.as_ref().expect("only such are looked for");
        if proxy.cut(port, ends) {
            let hit = Self::hit_with(sessions, session);
            self.note(planned.fault, &session.runner, &hit);
        }
    }

    /// A runner that only has to wait is not touched.
    fn stall(&mut self, sessions: &[Session], planned: Planned) {
        let Some(session) = self.target(sessions, planned) else { return };
        let at = self.runner_of(session).expect("it was looked for");
        let proxy = self.runners[at].proxy.as_ref().expect("only such are looked for");
        proxy.stall(planned.lasts * 2);
        let works = |it: &&Session| it.works && it.runner == session.runner;
        let hit: Vec<_> = sessions.iter().filter(works).collect();
        self.note(planned.fault, &session.runner, &hit);
    }

    /// The postmaster ends all sessions when one of its children crashes.
    fn crash(&mut self, sessions: &[Session], planned: Planned) {
        let Some(session) = self.target(sessions, planned) else { return };
        self.runners.iter_mut().for_each(|runner| runner.touched = true);
        if !self.server.kill_backend(session.pid) {
            return;
        }
        let hit: Vec<_> = sessions.iter().filter(|it| it.works).collect();
        self.note(planned.fault, &session.runner, &hit);
    }

    fn restart(&mut self, sessions: &[Session], planned: Planned, mode: StopMode) {
        self.runners.iter_mut().for_each(|runner| runner.touched = true);
        let hit: Vec<_> = sessions.iter().filter(|it| it.works).collect();
        self.note(planned.fault, "the server", &hit);
        self.server.restart(mode, planned.lasts / 2);
    }
}
