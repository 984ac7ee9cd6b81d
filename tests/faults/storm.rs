//! Several runners, and faults at random moments.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::accounts;
use crate::fault::{Aim, Fault, Planned};
use crate::journal::Journal;
use crate::operator;
use crate::runner::{Ended, Flags, PATIENCE, Place, Runner};
use crate::server::{Observer, Server, Session};
use crate::tally::Tally;
use crate::workload::Workload;

/// How long a fault waits for what it is to hit.
const FOR_AIM: Duration = Duration::from_secs(1);

/// How long the sessions of a runner may outlive it: a backend looks for its client
/// every half second, and a cut takes its time to be noticed.
const AFTERLIFE: Duration = Duration::from_secs(10);

pub struct Storm<'a> {
    pub server: &'a mut Server,
    pub observer: Observer,
    pub place: Place<'a>,
    pub workload: &'a Workload,
    pub journal: &'a mut Journal,
    pub tally: &'a mut Tally,
    /// For what has no place in the schedule.
    pub rng: Rng,
    pub runners: Vec<Runner>,
    /// Those that have ended.
    pub ended: Vec<Ended>,
    /// Names of runners that have ended, and when.
    pub leaving: Vec<(String, Instant)>,
    pub started: usize,
    /// How many runners there are at a time.
    pub crowd: usize,
}

impl Storm<'_> {
    /// Plays `schedule`, or as much of it as there is work for.
    pub fn rage(&mut self, schedule: &[Planned]) {
        for planned in schedule {
            self.wait(planned.after);
            self.take_aim(planned.aim);
            if self.is_done() || self.runners.is_empty() {
                self.journal.note("everything is applied");
                return;
            }
            self.inject(*planned);
        }
    }

    /// Lets the runners end, or kills them, so that something is left to do.
    pub fn end(&mut self, by_force: bool) {
        if by_force {
            for at in 0..self.runners.len() {
                self.strike(Fault::Kill, at);
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while !self.runners.is_empty() {
            self.reap();
            if Instant::now() > deadline {
                let sessions = self.observer.sessions();
                panic!("{} hangs: {sessions:#?}", self.runners[0].name);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.until_gone();
    }

    /// Nothing of a runner that has ended is left in the server.
    pub fn until_gone(&mut self) {
        while !self.leaving.is_empty() {
            self.check_leaving();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn start(&mut self, flags: Flags) -> Runner {
        self.started += 1;
        let runner = Runner::up(format!("runner-{}", self.started), &self.place, flags);
        self.journal.note(&format!("started {}", runner.words()));
        runner
    }

    fn is_done(&mut self) -> bool {
        let exists = "SELECT count(to_regclass('migraph.__migrations__'))";
        let applied = "SELECT count(*) FROM migraph.__migrations__";
        let all = i64::try_from(self.workload.files.len()).unwrap();
        self.observer.count(exists) == 1 && self.observer.count(applied) == all
    }

    pub fn wait(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            self.reap();
            // Once one has said that all is applied, others would say nothing else.
            while self.runners.len() < self.crowd && !self.ended.iter().any(Ended::is_complete) {
                let flags = Flags::stormy(&mut self.rng);
                let runner = self.start(flags);
                self.runners.push(runner);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(10)));
        }
    }

    fn take_aim(&mut self, aim: Aim) {
        let fits = |session: &Session| match aim {
            Aim::Anything => true,
            Aim::Work => session.works,
            Aim::Bare => session.is_bare(),
        };
        let end = Instant::now() + FOR_AIM;
        while Instant::now() < end && !self.observer.sessions().iter().any(fits) && !self.is_done()
        {
            self.wait(Duration::from_millis(2));
        }
    }

    /// Takes leave of those that have ended.
    fn reap(&mut self) {
        let mut at = 0;
        while at < self.runners.len() {
            match self.runners[at].ended() {
                None => at += 1,
                Some(ended) => {
                    self.runners.remove(at);
                    self.bury(ended);
                }
            }
        }
        self.check_leaving();
    }

    pub fn bury(&mut self, ended: Ended) {
        self.journal.note(&format!("{} ended: {}", ended.name, accounts::summary(&ended)));
        accounts::exit_is_explained(&ended);
        self.tally.ended(&ended);
        self.leaving.push((ended.name.clone(), Instant::now()));
        assert!(
            !ended.is_complete() || self.is_done(),
            "{} has said that everything is applied",
            ended.name
        );
        if ended.code.is_some() && !ended.was_cut && self.left_running(&ended.name).is_some() {
            // The server says that a statement failed before it has undone it.
            std::thread::sleep(Duration::from_millis(500));
            let left = self.left_running(&ended.name);
            assert!(left.is_none(), "{} has left a statement running: {left:?}", ended.name);
        }
        let asks = ended.errors().iter().any(|code| code == "interrupted");
        self.ended.push(ended);
        if asks {
            operator::resolve(self);
        }
    }

    fn left_running(&mut self, runner: &str) -> Option<Session> {
        self.observer.sessions().into_iter().find(|it| it.runner == runner && it.is_busy())
    }

    fn check_leaving(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        let sessions = self.observer.sessions();
        let tally = &mut *self.tally;
        self.leaving.retain(|(name, since)| {
            let left = sessions.iter().find(|session| session.runner == *name);
            let is_late = left.filter(|_| since.elapsed() > AFTERLIFE);
            assert!(is_late.is_none(), "{name} ended, and its session did not: {is_late:?}");
            tally.afterlife = tally.afterlife.max(since.elapsed());
            left.is_some()
        });
    }
}
