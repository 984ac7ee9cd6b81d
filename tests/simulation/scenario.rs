//! One seed: a graph, a run with faults and signals, then runs until all is done.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use migraph::engine::{Failure, FailureKind};
use migraph::exec::{
    Ended, Event, EventSink, OnFailure, RunOptions, RunResult, Stop, StopSignal, run,
};
use migraph::graph::{self, MigrationGraph, Node};
use migraph::model::MigrationId;
use migraph::parse::{Depth, Unlisted, parse, settle};
use migraph::plan::{Estimator, Plan, Schedule, Separation, Timings};

use super::world::{Memory, World};

pub struct Scenario {
    seed: u64,
    rng: Rng,
    graph: MigrationGraph,
}

impl Scenario {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let graph = random_graph(&mut rng);
        Self { seed, rng, graph }
    }

    /// Plays it, and returns the paths it has gone.
    pub fn play(mut self) -> BTreeSet<&'static str> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let mut world = self.world();
        world.fault_rate = if self.rng.bool() { self.rng.u32(0..300) } else { 0 };
        let world = Rc::new(world);
        runtime.block_on(self.first_run(&world));
        let mut world = Rc::into_inner(world).unwrap();
        world.fault_rate = 0;
        world.unreachable_until.set(None);
        world.sessions.set(100);
        // What is pending now is what is not committed, whatever the first run said.
        let paths = world.paths.borrow().clone();
        let world =
            Rc::new(World { refused: RefCell::default(), alone: RefCell::default(), ..world });
        let result = runtime.block_on(self.run(&world, &Calm));
        assert_eq!(result.ended, Ended::Complete, "the second run completes it");
        for id in self.graph.ids() {
            assert_eq!(world.committed.borrow().get(id), Some(&1), "`{id}`");
        }
        paths
    }

    fn world(&mut self) -> World {
        let ids = |table: Vec<bool>, but: Node| -> BTreeSet<MigrationId> {
            let is_ancestor = |node: &Node| table[node.index()] && *node != but;
            self.graph.nodes().filter(is_ancestor).map(|node| self.graph.id(node).clone()).collect()
        };
        let ancestors = self.graph.nodes().map(|node| {
            (self.graph.id(node).clone(), ids(self.graph.with_ancestors(&[node]), node))
        });
        let conflicts = self.graph.nodes().flat_map(|node| {
            let other = |other: &Node| (self.graph.id(node).clone(), self.graph.id(*other).clone());
            self.graph.exclusive_with(node).iter().map(other).collect::<Vec<_>>()
        });
        let conflicts = conflicts.filter(|(a, b)| a < b).collect();
        World::new(self.rng.fork(), ancestors.collect(), conflicts)
    }

    async fn first_run(&mut self, world: &Rc<World>) {
        let trouble = Trouble::random(&mut self.rng, world.fault_rate > 0);
        let result = self.run(world, &trouble).await;
        self.check(world, &result, trouble.on_failure);
    }

    async fn run(&mut self, world: &Rc<World>, trouble: &dyn Troubled) -> RunResult {
        let applied: BTreeSet<Node> =
            world.committed.borrow().keys().map(|id| self.graph.node(id).unwrap()).collect();
        let wanted = vec![true; self.graph.len()];
        let estimator = Estimator::new(Timings::default(), []);
        let plan = Plan::new(
            &self.graph,
            &wanted,
            &applied,
            &estimator,
            Separation::declared(&self.graph),
        );
        // As a real run reads it from the ledger.
        let reached = world.progress.borrow().clone();
        let node = |(id, it)| (self.graph.node(&id).unwrap(), it);
        let progress: BTreeMap<_, _> = reached.into_iter().map(node).collect();
        let options = RunOptions {
            schedule: if self.rng.bool() { Schedule::Layers } else { Schedule::Ready },
            jobs: self.rng.usize(1..8),
            retries: self.rng.usize(0..4),
            on_failure: trouble.on_failure(),
            seed: Some(self.seed),
            progress: &progress,
        };
        let (stop, control) = StopSignal::new();
        let mut log = Log { world: Rc::clone(world), jobs: options.jobs, running: 0 };
        let engine = Memory(Rc::clone(world));
        let running = run(&engine, &self.graph, &plan, options, (control, &mut log));
        // A simulation that takes a virtual week hangs.
        let limit = Duration::from_hours(7 * 24);
        tokio::select! {
            biased;
            result = tokio::time::timeout(limit, running) => result.unwrap(),
            () = trouble.happen(world, &stop) => unreachable!(),
        }
    }

    /// What must be true when a run has ended, however it did.
    fn check(&self, world: &World, result: &RunResult, on_failure: OnFailure) {
        let committed = world.committed.borrow();
        assert!(world.running.borrow().is_empty(), "something still runs");
        assert!(committed.values().all(|times| *times == 1));
        for id in committed.keys() {
            assert!(world.ancestors[id].iter().all(|it| committed.contains_key(it)), "`{id}`");
        }
        let said: BTreeSet<_> =
            result.applied.keys().map(|node| self.graph.id(*node).clone()).collect();
        let unknown: BTreeSet<_> = (result.failed.iter())
            .filter(|(_, failure)| failure.kind == FailureKind::Unknown)
            .map(|(node, _)| self.graph.id(*node).clone())
            .collect();
        let known: BTreeSet<_> =
            committed.keys().filter(|id| !unknown.contains(id)).cloned().collect();
        assert_eq!(said, known, "what is said to be applied is applied");
        let all = result.applied.len() + result.failed.len() + result.skipped.len();
        assert_eq!(all, self.graph.len(), "everything is accounted for");
        self.check_tries(world, result);
        Self::note(world, result, on_failure);
    }

    /// Every failed try is reported: as a retry, or as the failure.
    fn check_tries(&self, world: &World, result: &RunResult) {
        let failures = world.failures.borrow();
        for node in self.graph.nodes() {
            let id = self.graph.id(node);
            let real = |(failed, failure): &&(Node, Failure)| {
                *failed == node && failure.kind != FailureKind::NotStarted
            };
            let reported = result.retried.get(&node).copied().unwrap_or(0)
                + result.failed.iter().filter(real).count();
            assert_eq!(failures.get(id).copied().unwrap_or(0), reported, "tries of `{id}`");
        }
    }

    fn note(world: &World, result: &RunResult, on_failure: OnFailure) {
        world.path(match result.ended {
            Ended::Complete => "complete",
            Ended::Failed => "failed",
            Ended::Stopped => "stopped",
        });
        let cancelled = |kind| result.failed.iter().any(|(_, failure)| failure.kind == kind);
        if cancelled(FailureKind::Cancelled) {
            world.path(if on_failure == OnFailure::FailFast { "fail-fast" } else { "cancelled" });
        }
        if result.ended == Ended::Stopped && result.failed.is_empty() {
            world.path("drained");
        }
        if cancelled(FailureKind::NotStarted) {
            world.path("gave-up-sessions");
        }
        if !result.retried.is_empty() {
            world.path("retried");
        }
        if on_failure == OnFailure::KeepGoing && result.failed.len() > 1 {
            world.path("keep-going");
        }
    }
}

/// Up to 14 migrations in the order of their ids, with a few exclusions.
fn random_graph(rng: &mut Rng) -> MigrationGraph {
    let count = rng.usize(1..15);
    let density = rng.u32(0..60);
    let files = (0..count).map(|number| {
        let pick = |rng: &mut Rng, chance: u32| -> Vec<String> {
            (0..number).filter(|_| rng.u32(0..100) < chance).map(|it| format!("m{it:02}")).collect()
        };
        let (dependencies, exclusive) = (pick(rng, density), pick(rng, 5));
        let text = format!(
            "-- @dependencies: [{}]\n-- @exclusiveWith: [{}]\nSELECT 1;",
            dependencies.join(", "),
            exclusive.join(", ")
        );
        parse(format!("m{number:02}.sql").into(), text.into_bytes(), Depth::Tokens)
    });
    let set = settle(files.collect(), Unlisted::Refuse);
    graph::build(set.migrations, &set.broken).unwrap()
}

/// What comes from outside while a run goes on; never ends.
trait Troubled {
    fn on_failure(&self) -> OnFailure;
    fn happen<'a>(
        &'a self,
        world: &'a World,
        stop: &'a StopSignal,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;
}

/// Nothing does.
struct Calm;

impl Troubled for Calm {
    fn on_failure(&self) -> OnFailure {
        OnFailure::Finish
    }

    fn happen<'a>(
        &'a self,
        _: &'a World,
        _: &'a StopSignal,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>> {
        Box::pin(std::future::pending())
    }
}

struct Trouble {
    on_failure: OnFailure,
    /// When, and how urgently.
    stops: Vec<(Duration, Stop)>,
    unreachable: Option<(Duration, Duration)>,
    sessions: Option<usize>,
}

impl Trouble {
    fn random(rng: &mut Rng, hangs: bool) -> Self {
        let ms = |rng: &mut Rng, to: u64| Duration::from_millis(rng.u64(0..to));
        let mut stops = Vec::new();
        if rng.u8(0..3) == 0 {
            stops.push((ms(rng, 1500), Stop::Drain));
        }
        // Something that hangs ends only when it is cancelled.
        if hangs || rng.u8(0..4) == 0 {
            stops.push((ms(rng, 4000), Stop::Cancel));
        }
        let long = if rng.bool() { 2_000 } else { 120_000 };
        Self {
            on_failure: [OnFailure::Finish, OnFailure::FailFast, OnFailure::KeepGoing]
                [rng.usize(0..3)],
            stops,
            unreachable: (rng.u8(0..5) == 0).then(|| (ms(rng, 600), ms(rng, long))),
            sessions: (rng.u8(0..5) == 0).then(|| rng.usize(0..4)),
        }
    }
}

impl Troubled for Trouble {
    fn on_failure(&self) -> OnFailure {
        self.on_failure
    }

    fn happen<'a>(
        &'a self,
        world: &'a World,
        stop: &'a StopSignal,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>> {
        if let Some(sessions) = self.sessions {
            world.sessions.set(sessions);
        }
        Box::pin(async move {
            let stops = async {
                for (after, what) in &self.stops {
                    tokio::time::sleep(*after).await;
                    stop.raise(*what);
                }
                std::future::pending::<()>().await;
            };
            let unreachable = async {
                if let Some((after, how_long)) = self.unreachable {
                    tokio::time::sleep(after).await;
                    world.unreachable_until.set(Some(tokio::time::Instant::now() + how_long));
                }
                std::future::pending::<()>().await;
            };
            tokio::join!(stops, unreachable);
        })
    }
}

/// Watches the events: never more at once than there are jobs.
struct Log {
    world: Rc<World>,
    jobs: usize,
    running: usize,
}

impl EventSink for Log {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { .. } => {
                self.running += 1;
                assert!(self.running <= self.jobs, "more at once than jobs");
            }
            Event::Applied { .. } | Event::Failed { .. } | Event::FewerSessions { .. } => {
                self.running -= 1;
            }
            Event::Retrying { delay, failure, .. } => {
                let in_its_slot = delay.is_some() && failure.kind != FailureKind::NotStarted;
                if !in_its_slot {
                    self.running -= 1;
                }
                if delay.is_none() {
                    self.world.path("behind-others");
                }
            }
            _ => {}
        }
    }
}
