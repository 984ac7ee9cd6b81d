//! Dispatching 100,000 migrations, without running any.

#![expect(clippy::expect_used, reason = "a bench that cannot prepare its input must stop")]

mod workload;

use std::collections::{BTreeSet, VecDeque};

use criterion::Criterion;
use migraph::graph::{self, MigrationGraph};
use migraph::parse::{self, Depth, Unlisted};
use migraph::plan::{Claim, Estimator, Plan, ReadyQueue, Schedule, Separation, Timings};

const NODES: usize = 100_000;
const SLOTS: usize = 8;
const RIVALS: usize = 10_000;

fn main() {
    let graph = graph_of(workload::headers(NODES));
    let migrations = graph.nodes().map(|node| graph.migration(node));
    let estimator = Estimator::new(Timings::default(), migrations);
    let plan = Plan::new(
        &graph,
        &vec![true; graph.len()],
        &BTreeSet::new(),
        &estimator,
        Separation::declared(&graph),
    );

    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("ready_queue");
    for schedule in [Schedule::Layers, Schedule::Ready] {
        group.bench_function(schedule.as_str(), |bench| {
            bench.iter(|| assert_eq!(dispatch(&plan, schedule), NODES));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("one_table_of_all");
    let plan = plan_of_rivals(RIVALS);
    for schedule in [Schedule::Layers, Schedule::Ready] {
        group.bench_function(schedule.as_str(), |bench| {
            bench.iter(|| assert_eq!(dispatch(&plan, schedule), RIVALS));
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Independent migrations that all want the same table for themselves.
fn plan_of_rivals(count: usize) -> Plan {
    let file = |number| workload::File {
        id: format!("m{number:06}"),
        text: "-- @dependencies: []\nSELECT 1;".to_owned(),
        up: "SELECT 1;".to_owned(),
    };
    let graph = graph_of((0..count).map(file).collect());
    let mut separation = Separation::declared(&graph);
    let table = separation.resource("users");
    graph.nodes().for_each(|node| separation.claim(node, table, Claim::EXCLUSIVE));
    let estimator = Estimator::new(Timings::default(), []);
    Plan::new(&graph, &vec![true; graph.len()], &BTreeSet::new(), &estimator, separation)
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
    let set = parse::settle(parsed.collect(), Unlisted::Refuse);
    graph::build(set.migrations, &set.broken).expect("the generated graph is acyclic")
}
