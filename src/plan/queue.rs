//! What may start now.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::Plan;
use super::waiting::{Urgency, Waiting};
use crate::graph::Node;

/// When a migration whose dependencies are applied may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// When every earlier layer is applied: what runs beside what is then easy
    /// to read and to repeat.
    #[default]
    Layers,
    /// At once, the longest remaining chain first: the fast one.
    Ready,
}

impl Schedule {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Layers => "layers",
            Self::Ready => "ready",
        }
    }
}

/// Ready migrations, the most urgent first; ids break ties.
type Ready = BinaryHeap<Urgency>;

/// Decides what starts next, under dependencies, conflicts and a number of
/// slots. It knows neither threads nor time: whoever drives it says what ended.
///
/// Every node of its plan is in exactly one place: waiting (dependencies not
/// applied, or its layer not open), ready (held back by a running node that it
/// conflicts with, or not), held back by one that was in its way, waiting to run
/// alone, running, applied, or failed.
#[derive(Debug)]
pub struct ReadyQueue<'a> {
    plan: &'a Plan,
    schedule: Schedule,
    slots: usize,
    /// By [`Node::index`]: how many dependencies are not applied yet.
    missing: Vec<usize>,
    ready: Waiting,
    /// Nodes that wait for the end of a running one that was in their way.
    held: BTreeMap<Node, Vec<Node>>,
    running: BTreeSet<Node>,
    /// What must run while nothing else does, and is ready.
    alone: Ready,
    /// All that must run so, ready or not.
    lonely: BTreeSet<Node>,
    /// The one that runs so.
    exclusive: Option<Node>,
    started: Vec<bool>,
    /// The open layer and how many of its nodes have not been applied; used
    /// under [`Schedule::Layers`] only.
    layer: usize,
    left_in_layer: usize,
    applied: usize,
    stopped: bool,
}

impl<'a> ReadyQueue<'a> {
    /// A queue over the whole plan with at least one slot.
    pub fn new(plan: &'a Plan, schedule: Schedule, slots: usize) -> Self {
        let separation = plan.separation();
        let mut missing = vec![0; plan.table_len()];
        for node in plan.nodes() {
            missing[node.index()] = plan.dependencies(node).len();
        }
        let mut queue = Self {
            plan,
            schedule,
            slots: slots.max(1),
            missing,
            ready: Waiting::new(separation),
            held: BTreeMap::new(),
            running: BTreeSet::new(),
            alone: Ready::new(),
            lonely: plan.nodes().filter(|it| separation.is_alone(*it).is_some()).collect(),
            exclusive: None,
            started: vec![false; plan.table_len()],
            layer: 0,
            left_in_layer: plan.layers().first().map_or(0, Vec::len),
            applied: 0,
            stopped: false,
        };
        queue.plan.layers().iter().take(1).flatten().for_each(|root| queue.make_ready(*root));
        queue
    }

    /// Takes the next migration that may start now and counts it as running.
    /// `None` while nothing may start.
    pub fn start_next(&mut self) -> Option<Node> {
        if !self.alone.is_empty() || self.exclusive.is_some() {
            return self.start_alone();
        }
        while !self.stopped && self.running.len() < self.slots {
            let node = self.ready.first()?;
            let separation = self.plan.separation();
            let in_the_way = |it: &&Node| separation.between(node, **it).is_some();
            if let Some(other) = self.running.iter().find(in_the_way) {
                self.ready.hold_first(*other);
                continue;
            }
            self.ready.take_first();
            self.start(node);
            return Some(node);
        }
        None
    }

    /// What waits to run alone starts when nothing runs, and then nothing else
    /// starts until it has ended.
    fn start_alone(&mut self) -> Option<Node> {
        if self.stopped || !self.running.is_empty() {
            return None;
        }
        let (_, Reverse(node)) = self.alone.pop()?;
        self.exclusive = Some(node);
        self.start(node);
        Some(node)
    }

    fn start(&mut self, node: Node) {
        self.running.insert(node);
        self.started[node.index()] = true;
    }

    /// Says that a running migration is applied.
    pub fn applied(&mut self, node: Node) {
        if !self.end(node) {
            return;
        }
        self.applied += 1;
        let plan = self.plan;
        for dependent in plan.dependents(node) {
            let missing = &mut self.missing[dependent.index()];
            *missing -= 1;
            if *missing == 0 && self.schedule == Schedule::Ready {
                self.make_ready(*dependent);
            }
        }
        self.leave_layer();
    }

    /// Says that a running migration is not applied and will not be; nothing that
    /// depends on it will start.
    pub fn failed(&mut self, node: Node) {
        if self.end(node) {
            self.leave_layer();
        }
    }

    /// Takes a running migration back: it has not been applied, and may start
    /// again at any time.
    pub fn put_back(&mut self, node: Node) {
        if self.take_back(node) {
            self.make_ready(node);
        }
    }

    /// Takes a running migration back until another that runs now has ended; false
    /// when nothing else runs, and then it goes on running.
    pub fn put_behind_others(&mut self, node: Node) -> bool {
        let Some(other) = self.running.iter().copied().find(|other| *other != node) else {
            return false;
        };
        if self.take_back(node) {
            self.held.entry(other).or_default().push(node);
        }
        true
    }

    /// Takes a running migration back until it can run while nothing else does.
    pub fn put_alone(&mut self, node: Node) {
        self.lonely.insert(node);
        self.put_back(node);
    }

    /// Changes how many may run at once, from the next start on; at least one.
    pub fn set_slots(&mut self, slots: usize) {
        self.slots = slots.max(1);
    }

    /// True while something could start if there were a slot and a session.
    pub fn has_ready(&self) -> bool {
        !self.stopped && (!self.ready.is_empty() || !self.alone.is_empty())
    }

    /// Starts nothing more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// What has been started and has not ended.
    pub fn running(&self) -> &BTreeSet<Node> {
        &self.running
    }

    /// How many have been applied.
    pub fn applied_count(&self) -> usize {
        self.applied
    }

    /// What was never started, in the order of the plan.
    pub fn not_started(&self) -> Vec<Node> {
        self.plan.nodes().filter(|node| !self.started[node.index()]).collect()
    }

    fn make_ready(&mut self, node: Node) {
        let urgency = (self.plan.remaining(node), Reverse(node));
        if self.lonely.contains(&node) {
            self.alone.push(urgency);
        } else {
            self.ready.push(urgency);
        }
    }

    /// Takes a node off the running ones and frees what it held back; false when
    /// it was not running.
    fn end(&mut self, node: Node) -> bool {
        let was_running = self.running.remove(&node);
        if self.exclusive == Some(node) {
            self.exclusive = None;
        }
        self.ready.release(node);
        for held in self.held.remove(&node).unwrap_or_default() {
            self.make_ready(held);
        }
        was_running
    }

    fn take_back(&mut self, node: Node) -> bool {
        let was_running = self.end(node);
        if was_running {
            self.started[node.index()] = false;
        }
        was_running
    }

    /// Under [`Schedule::Layers`]: one more of the open layer has ended.
    fn leave_layer(&mut self) {
        if self.schedule == Schedule::Layers {
            self.left_in_layer -= 1;
            self.open_layers();
        }
    }

    /// Opens layers until there is something to wait for. What lacks an ancestor
    /// that failed will never run, so its layer does not wait for it.
    fn open_layers(&mut self) {
        let plan = self.plan;
        while self.left_in_layer == 0 {
            self.layer += 1;
            let Some(layer) = plan.layers().get(self.layer) else { return };
            let complete: Vec<_> =
                layer.iter().filter(|node| self.missing[node.index()] == 0).collect();
            for node in complete {
                self.left_in_layer += 1;
                self.make_ready(*node);
            }
        }
    }
}
