//! Migrations that wait for their turn.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use super::Separation;
use crate::graph::Node;

/// What decides whose turn it is: the longest remaining chain; ids break ties.
pub(super) type Urgency = (Duration, Reverse<Node>);

/// Ready migrations, the most urgent first, except those that a running one holds
/// back.
///
/// Those that claim the same are held back together, whatever is in the way of one of
/// them: else each end of many that want one table would try all that are left.
#[derive(Debug)]
pub(super) struct Waiting {
    /// By [`Node::index`].
    class_of: Vec<usize>,
    classes: Vec<Class>,
    /// The most urgent of each class that is not held back, and the class.
    open: BTreeSet<(Urgency, usize)>,
    /// By who is in their way.
    held: BTreeMap<Node, Vec<usize>>,
}

/// Ready migrations that claim the same.
#[derive(Debug, Default)]
struct Class {
    nodes: BinaryHeap<Urgency>,
    held: bool,
}

impl Waiting {
    pub(super) fn new(separation: &Separation) -> Self {
        let class_of = separation.classes();
        let count = class_of.iter().max().map_or(0, |last| last + 1);
        let classes = (0..count).map(|_| Class::default()).collect();
        Self { class_of, classes, open: BTreeSet::new(), held: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, urgency: Urgency) {
        let (_, Reverse(node)) = urgency;
        let number = self.class_of[node.index()];
        self.close(number);
        self.classes[number].nodes.push(urgency);
        self.open(number);
    }

    /// The most urgent one.
    pub(super) fn first(&self) -> Option<Node> {
        self.open.last().map(|((_, Reverse(node)), _)| *node)
    }

    /// Takes the first one out.
    pub(super) fn take_first(&mut self) {
        if let Some((_, number)) = self.open.pop_last() {
            self.classes[number].nodes.pop();
            self.open(number);
        }
    }

    /// Holds the first one back, and all that claim the same, until `other` is
    /// [released](Self::release).
    pub(super) fn hold_first(&mut self, other: Node) {
        if let Some((_, number)) = self.open.pop_last() {
            self.classes[number].held = true;
            self.held.entry(other).or_default().push(number);
        }
    }

    /// Holds nothing back any longer because of `other`.
    pub(super) fn release(&mut self, other: Node) {
        for number in self.held.remove(&other).unwrap_or_default() {
            self.classes[number].held = false;
            self.open(number);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn open(&mut self, number: usize) {
        let class = &self.classes[number];
        if let Some(first) = class.nodes.peek().filter(|_| !class.held) {
            self.open.insert((*first, number));
        }
    }

    fn close(&mut self, number: usize) {
        if let Some(first) = self.classes[number].nodes.peek() {
            self.open.remove(&(*first, number));
        }
    }
}
