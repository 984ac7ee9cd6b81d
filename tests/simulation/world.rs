//! A database in memory, and what can go wrong with it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use migraph::engine::{
    Canceller, Engine, Failure, FailureKind, Job, Note, Outcome, Progress, Receipt, Retry, Worker,
};
use migraph::model::MigrationId;
use tokio::sync::Notify;

/// What may happen to one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The server refuses it, every time.
    Refused,
    /// A deadlock or its like.
    Again,
    /// A lock timeout.
    Locked,
    /// The lock table is full.
    Alone,
    /// It never ends by itself.
    Hang,
    /// A deadlock in a script that runs step by step: it has come one step further.
    Halted,
    /// The answer is lost before COMMIT; the ledger says so.
    LostBefore,
    /// The answer is lost behind COMMIT; the ledger says so.
    LostBehind,
    /// The answer is lost behind COMMIT, and the ledger cannot be asked.
    LostForGood,
}

const FAULTS: [Fault; 9] = [
    Fault::Refused,
    Fault::Again,
    Fault::Locked,
    Fault::Alone,
    Fault::Hang,
    Fault::Halted,
    Fault::LostBefore,
    Fault::LostBehind,
    Fault::LostForGood,
];

/// Which paths a number of simulations has gone.
#[derive(Default)]
pub struct Seen(BTreeSet<&'static str>);

impl Seen {
    pub fn add(&mut self, paths: &BTreeSet<&'static str>) {
        self.0.extend(paths);
    }

    pub fn assert_all(&self) {
        let all = [
            "complete",
            "failed",
            "stopped",
            "cancelled",
            "retried",
            "resumed",
            "alone",
            "behind-others",
            "no-session",
            "fewer-sessions",
            "gave-up-sessions",
            "lost-for-good",
            "keep-going",
            "fail-fast",
            "drained",
        ];
        let missing: Vec<_> = all.into_iter().filter(|path| !self.0.contains(path)).collect();
        assert!(missing.is_empty(), "never reached: {missing:?}");
    }
}

/// The database and everything that is known about a run from outside.
pub struct World {
    pub rng: RefCell<Rng>,
    /// How often each migration's effects were committed.
    pub committed: RefCell<BTreeMap<MigrationId, usize>>,
    pub running: RefCell<BTreeSet<MigrationId>>,
    /// How many tries of each have failed.
    pub failures: RefCell<BTreeMap<MigrationId, usize>>,
    /// What has filled the lock table once: it runs alone from then on.
    pub alone: RefCell<BTreeSet<MigrationId>>,
    /// Migrations that must not run beside each other.
    pub conflicts: BTreeSet<(MigrationId, MigrationId)>,
    pub ancestors: BTreeMap<MigrationId, BTreeSet<MigrationId>>,
    /// Per thousand tries.
    pub fault_rate: u32,
    /// How many sessions the server gives; it may change.
    pub sessions: Cell<usize>,
    pub open: Cell<usize>,
    /// Until then no session can be opened.
    pub unreachable_until: Cell<Option<tokio::time::Instant>>,
    pub paths: RefCell<BTreeSet<&'static str>>,
    pub refused: RefCell<BTreeMap<MigrationId, Fault>>,
    /// How far a script that runs step by step has come; the next try must know.
    pub progress: RefCell<BTreeMap<MigrationId, Progress>>,
}

impl World {
    pub fn new(
        rng: Rng,
        ancestors: BTreeMap<MigrationId, BTreeSet<MigrationId>>,
        conflicts: BTreeSet<(MigrationId, MigrationId)>,
    ) -> Self {
        Self {
            rng: RefCell::new(rng),
            committed: RefCell::default(),
            running: RefCell::default(),
            failures: RefCell::default(),
            alone: RefCell::default(),
            conflicts,
            ancestors,
            fault_rate: 0,
            sessions: Cell::new(100),
            open: Cell::new(0),
            unreachable_until: Cell::new(None),
            paths: RefCell::default(),
            refused: RefCell::default(),
            progress: RefCell::default(),
        }
    }

    pub fn path(&self, path: &'static str) {
        self.paths.borrow_mut().insert(path);
    }

    /// What must hold whenever a migration begins.
    fn begin(&self, id: &MigrationId) {
        let committed = self.committed.borrow();
        assert!(!committed.contains_key(id), "`{id}` runs a second time");
        for ancestor in &self.ancestors[id] {
            assert!(committed.contains_key(ancestor), "`{id}` runs before `{ancestor}`");
        }
        let mut running = self.running.borrow_mut();
        for other in running.iter() {
            let pair = (id.clone().min(other.clone()), id.clone().max(other.clone()));
            assert!(!self.conflicts.contains(&pair), "`{id}` runs beside `{other}`");
        }
        let alone = self.alone.borrow();
        assert!(!alone.contains(id) || running.is_empty(), "`{id}` was to run alone");
        let lonely = running.iter().find(|other| alone.contains(other));
        assert!(lonely.is_none(), "`{id}` runs beside {lonely:?}, which was to run alone");
        assert!(running.insert(id.clone()), "`{id}` runs twice at once");
    }

    /// A try must begin where the one before it has stopped.
    fn resume(&self, id: &MigrationId, told: Progress) {
        let reached = self.progress.borrow().get(id).copied();
        assert_eq!(told, reached.unwrap_or_default(), "`{id}` is resumed at the wrong place");
        if reached.is_some() {
            self.path("resumed");
        }
    }

    fn commit(&self, id: &MigrationId) {
        *self.committed.borrow_mut().entry(id.clone()).or_default() += 1;
    }

    fn fault(&self, id: &MigrationId) -> Option<Fault> {
        if let Some(fault) = self.refused.borrow().get(id) {
            return Some(*fault);
        }
        let mut rng = self.rng.borrow_mut();
        let fault =
            (rng.u32(0..1000) < self.fault_rate).then(|| FAULTS[rng.usize(0..FAULTS.len())]);
        if fault == Some(Fault::Refused) {
            self.refused.borrow_mut().insert(id.clone(), Fault::Refused);
        }
        fault
    }

    fn duration(&self) -> Duration {
        Duration::from_millis(self.rng.borrow_mut().u64(0..300))
    }
}

/// The engine over a [`World`].
pub struct Memory(pub Rc<World>);

impl Engine for Memory {
    type Worker = MemoryWorker;

    async fn worker(&self) -> Result<MemoryWorker, Box<Failure>> {
        let world = Rc::clone(&self.0);
        tokio::time::sleep(Duration::from_millis(2)).await;
        let refused = |retry, path: &'static str| {
            world.path(path);
            Box::new(Failure { retry, ..Failure::new(FailureKind::NotStarted, "no session") })
        };
        if world.unreachable_until.get().is_some_and(|until| tokio::time::Instant::now() < until) {
            return Err(refused(Retry::Connect, "no-session"));
        }
        if world.open.get() >= world.sessions.get() {
            return Err(refused(Retry::FewerSessions, "fewer-sessions"));
        }
        world.open.set(world.open.get() + 1);
        Ok(MemoryWorker { world, cancel: Rc::default(), usable: true })
    }
}

/// One session of it.
pub struct MemoryWorker {
    world: Rc<World>,
    cancel: Rc<Notify>,
    usable: bool,
}

impl Drop for MemoryWorker {
    fn drop(&mut self) {
        self.world.open.set(self.world.open.get() - 1);
    }
}

impl Worker for MemoryWorker {
    type Canceller = MemoryCanceller;

    async fn prepare(&mut self) -> Result<(), Box<Failure>> {
        assert!(self.usable, "a session that must not be used is used");
        self.cancel = Rc::default();
        Ok(())
    }

    fn canceller(&self) -> MemoryCanceller {
        MemoryCanceller(Rc::clone(&self.cancel))
    }

    async fn apply(&mut self, job: Job<'_>, _: &dyn Fn(Note<'_>)) -> Outcome {
        let id = &job.migration.id;
        self.world.begin(id);
        self.world.resume(id, job.progress);
        let fault = self.world.fault(id);
        let time = match fault {
            Some(Fault::Hang) => Duration::from_hours(24),
            _ => self.world.duration(),
        };
        let cancelled = tokio::select! {
            biased;
            () = self.cancel.notified() => true,
            () = tokio::time::sleep(time) => false,
        };
        self.world.running.borrow_mut().remove(id);
        let outcome = if cancelled {
            Err(failure(FailureKind::RolledBack, Some("57014"), Retry::Never))
        } else {
            self.end(id, fault)
        };
        self.usable = outcome.is_ok();
        if outcome.is_err() {
            *self.world.failures.borrow_mut().entry(id.clone()).or_default() += 1;
        }
        outcome
    }

    fn is_usable(&self) -> bool {
        self.usable
    }
}

impl MemoryWorker {
    fn end(&self, id: &MigrationId, fault: Option<Fault>) -> Outcome {
        let receipt = Receipt { execution_time_ms: 1.0, applied_at: Timestamp::UNIX_EPOCH };
        let rolled_back = |code, retry| Err(failure(FailureKind::RolledBack, code, retry));
        match fault {
            None | Some(Fault::LostBehind) => {
                self.world.commit(id);
                Ok(receipt)
            }
            Some(Fault::LostForGood) => {
                self.world.commit(id);
                self.world.path("lost-for-good");
                Err(failure(FailureKind::Unknown, None, Retry::Never))
            }
            Some(Fault::Refused | Fault::Hang) => rolled_back(Some("42601"), Retry::Never),
            Some(Fault::LostBefore) => rolled_back(None, Retry::Never),
            Some(Fault::Halted) => {
                let mut reached = self.world.progress.borrow_mut();
                let progress = reached.entry(id.clone()).or_default();
                progress.completed += 1;
                let failure = failure(FailureKind::Halted, Some("40P01"), Retry::Again);
                Err(Box::new(Failure { progress: Some(*progress), ..*failure }))
            }
            Some(Fault::Again) => rolled_back(Some("40P01"), Retry::Again),
            Some(Fault::Locked) => rolled_back(Some("55P03"), Retry::Locked),
            Some(Fault::Alone) => {
                self.world.path("alone");
                self.world.alone.borrow_mut().insert(id.clone());
                rolled_back(Some("53200"), Retry::Alone)
            }
        }
    }
}

fn failure(kind: FailureKind, sqlstate: Option<&str>, retry: Retry) -> Box<Failure> {
    let sqlstate = sqlstate.map(str::to_owned);
    Box::new(Failure { sqlstate, retry, ..Failure::new(kind, "a fault") })
}

/// Wakes what its worker is doing, if it is doing anything.
pub struct MemoryCanceller(Rc<Notify>);

impl Canceller for MemoryCanceller {
    async fn cancel(&self) {
        self.0.notify_waiters();
    }
}
