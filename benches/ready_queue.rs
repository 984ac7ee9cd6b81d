//! Dispatching 100,000 migrations, without running any.

#![expect(clippy::expect_used, reason = "a bench that cannot prepare its input must stop")]

mod workload;

use std::collections::{BTreeSet, VecDeque};

use criterion::Criterion;
use migraph::graph::{self, MigrationGraph};
use migraph::parse::{self, Depth};
use migraph::plan::{Estimator, Plan, ReadyQueue, Schedule, Timings};

const NODES: usize = 100_000;
const SLOTS: usize = 8;

fn main() {
    let graph = graph_of(workload::headers(NODES));
    let migrations = graph.nodes().map(|node| graph.migration(node));
    let estimator = Estimator::new(Timings::default(), migrations);
    let plan = Plan::new(&graph, &vec![true; graph.len()], &BTreeSet::new(), &estimator);

    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("ready_queue");
    for schedule in [Schedule::Layers, Schedule::Ready] {
        group.bench_function(schedule.as_str(), |bench| {
            bench.iter(|| assert_eq!(dispatch(&plan, schedule), NODES));
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Runs the queue dry: whenever nothing more may start, the oldest running
/// migration ends. Returns how many were applied.
fn dispatch(plan: &Plan, schedule: Schedule) -> usize {
    let mut queue = ReadyQueue::new(plan, schedule, SLOTS);
    let mut running = VecDeque::new();
    loop {
        while let Some(node) = queue.start_next() {
            running.push_back(node);
        }
        let Some(node) = running.pop_front() else { return queue.applied_count() };
        queue.applied(node);
    }
}

fn graph_of(files: Vec<workload::File>) -> MigrationGraph {
    let parsed = files.into_iter().map(|file| {
        parse::parse(format!("{}.sql", file.id).into(), file.text.into_bytes(), Depth::Tokens)
    });
    let set = parse::settle(parsed.collect(), false);
    graph::build(set.migrations, &set.broken).expect("the generated graph is acyclic")
}
