//! How long a plan would take.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Plan, ReadyQueue, Schedule};

/// The estimated time for `plan` with `workers` under `schedule`: the run loop's
/// own queue, driven by the estimates instead of a database.
pub fn simulate(plan: &Plan, schedule: Schedule, workers: usize) -> Duration {
    let mut queue = ReadyQueue::new(plan, schedule, workers);
    let mut now = Duration::ZERO;
    let mut ends = BinaryHeap::new();
    loop {
        while let Some(node) = queue.start_next() {
            let time = plan.estimate(node).map_or(Duration::ZERO, |estimate| estimate.time);
            ends.push(Reverse((now + time, node)));
        }
        let Some(Reverse((end, node))) = ends.pop() else { return now };
        now = end;
        queue.applied(node);
    }
}
