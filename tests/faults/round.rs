//! One seed: a workload, a storm over it, and a clean run behind that.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use fastrand::Rng;
use tempfile::TempDir;

use crate::accounts;
use crate::checks;
use crate::fault::Planned;
use crate::harness::Database;
use crate::journal::Journal;
use crate::runner::{Ended, Flags, Place, Runner};
use crate::server::{Observer, Server};
use crate::storm::Storm;
use crate::tally::Tally;
use crate::workload::Workload;

/// Everything that the seed decides.
struct Round {
    workload: Workload,
    schedule: Vec<Planned>,
    crowd: usize,
    by_force: bool,
    rng: Rng,
}

impl Round {
    fn new(seed: u64, version: u32) -> Self {
        let mut rng = Rng::with_seed(seed);
        let workload = Workload::random(&mut rng.fork(), version);
        let mut of_schedule = rng.fork();
        let faults = of_schedule.usize(10..30);
        let schedule = (0..faults).map(|_| Planned::random(&mut of_schedule)).collect();
        let (crowd, by_force) = (rng.usize(1..5), rng.bool());
        Self { workload, schedule, crowd, by_force, rng }
    }
}

/// Plays the round of `seed`; a failure is told with all that is known about it.
pub fn play(seed: u64, server: &mut Server, tally: &mut Tally) {
    let (began, faults_before) = (Instant::now(), tally.faults());
    let log_from = server.log().len();
    let dirs = [(); 2].map(|()| TempDir::with_prefix("migraph-faults-").unwrap());
    let [migrations, outputs] = &dirs;
    let mut journal = Journal::new();
    let round = Round::new(seed, server.major());
    round.workload.write(migrations.path());
    let database = server.database();
    let place =
        Place { migrations: migrations.path(), outputs: outputs.path(), database: &database };
    let played = catch_unwind(AssertUnwindSafe(|| {
        let serial = serially(&place, server);
        round.play(&place, (&mut *server, &serial), (&mut journal, &mut *tally));
    }));
    let log = server.log();
    let log = log.get(log_from..).unwrap_or_default();
    let played = played.and_then(|()| catch_unwind(|| log_is_clean(log)));
    if let Err(error) = played {
        let kept = dirs.map(TempDir::keep);
        crate::say(&journal.render(&kept[1], log));
        crate::say(&format!(
            "seed {seed} failed; its migrations are in {}, all outputs in {}\nreplay with MIGRAPH_FAULT_SEED={seed} MIGRAPH_FAULTS=1 cargo test --test faults\n",
            kept[0].display(),
            kept[1].display()
        ));
        resume_unwind(error);
    }
    crate::say(&format!(
        "seed {seed}: {} migrations, {} faults in {:.1} s\n",
        round.workload.files.len(),
        tally.faults() - faults_before,
        began.elapsed().as_secs_f64()
    ));
    tally.rounds += 1;
    tally.migrations += round.workload.files.len();
}

/// What one migration after another gives.
fn serially(place: &Place<'_>, server: &Server) -> Database {
    let serial = server.database();
    let place = Place { database: &serial, ..*place };
    let ended = Runner::up("serial".into(), &place, Flags::serial()).wait();
    assert_eq!(ended.code, Some(0), "the serial run: {:?}", ended.report);
    serial
}

impl Round {
    fn play(
        &self,
        place: &Place<'_>,
        (server, serial): (&mut Server, &Database),
        (journal, tally): (&mut Journal, &mut Tally),
    ) {
        let mut storm = Storm {
            server,
            observer: Observer::new(place.database),
            place: Place { ..*place },
            workload: &self.workload,
            journal,
            tally,
            rng: self.rng.clone(),
            runners: Vec::new(),
            ended: Vec::new(),
            leaving: Vec::new(),
            started: 0,
            crowd: self.crowd,
        };
        storm.rage(&self.schedule);
        storm.journal.note("the storm is over");
        storm.end(self.by_force);
        storm.journal.note("calm");
        clean_up(&mut storm);
        storm.journal.note("clean");
        let Storm { ended, tally, journal, .. } = storm;
        checks::all(place.database, &self.workload, serial);
        accounts::agree_with_the_ledger(&ended, place.database);
        tally.retries(place.database);
        journal.note("checked");
    }
}

/// One run without faults, which must do all that is left. It may ask once, where
/// asking is right.
fn clean_up(storm: &mut Storm<'_>) {
    let began = Instant::now();
    let flags = Flags::calm(&mut storm.rng);
    let ended = storm.start(flags).wait();
    let asked = ended.errors().iter().any(|code| code == "interrupted");
    let ended = end(storm, ended);
    if asked {
        let flags = Flags::calm(&mut storm.rng);
        let again = storm.start(flags).wait();
        assert_eq!(end(storm, again), Some(0), "the clean run");
    } else {
        assert_eq!(ended, Some(0), "the clean run");
    }
    storm.journal.note(&format!("clean in {} ms", began.elapsed().as_millis()));
    storm.until_gone();
}

fn end(storm: &mut Storm<'_>, ended: Ended) -> Option<i32> {
    let code = ended.code;
    storm.bury(ended);
    code
}

/// What a server must never say, whatever we do to it.
fn log_is_clean(log: &str) {
    let bad = ["PANIC:", "cache lookup failed", "could not open relation", "is not a valid"];
    let line = log.lines().find(|line| bad.iter().any(|it| line.contains(it)));
    assert!(line.is_none(), "the server's log says {line:?}");
}
