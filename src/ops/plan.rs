//! `plan`: what would run.

use std::time::Duration;

use tokio_postgres::Client;

use super::jobs::{Jobs, Shortage};
use super::server::{OnWait, ServerError, connect};
use crate::graph::MigrationGraph;
use crate::plan::{
    Applied, Comparison, Estimator, Plan, Schedule, Separation, Timings, compare, simulate,
};
use crate::postgres::{Ledger, LedgerState, Target, capacity};

/// What to plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The nodes that are wanted, by index.
    pub wanted: Vec<bool>,
    /// Measured times from a file.
    pub timings: Timings,
    /// How many workers; without it, what the server can spare.
    pub jobs: Option<usize>,
    /// What must not run at the same time.
    pub separation: Separation,
}

/// A plan and what it would cost.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The ledger held against the files; nothing is applied without a database.
    pub comparison: Comparison,
    /// Whether a database was asked.
    pub online: bool,
    /// How many workers the estimates are for, besides one.
    pub jobs: usize,
    /// Why these are not as many as was to be expected.
    pub shortage: Option<Shortage>,
    /// One worker: the sum of all estimates.
    pub serial: Duration,
    /// `jobs` workers, layer by layer.
    pub layers: Duration,
    /// `jobs` workers, each as soon as it is ready.
    pub ready: Duration,
    /// The same two, if only what `@exclusiveWith` says were kept apart.
    pub together: (Duration, Duration),
}

/// Plans what is pending in the database behind `database`, or everything.
pub async fn plan(
    graph: &MigrationGraph,
    database: Option<(&Target, &Ledger)>,
    options: PlanOptions,
    on_wait: OnWait<'_>,
) -> Result<Planned, ServerError> {
    let Some((target, ledger)) = database else {
        let jobs = Jobs::new(options.jobs, None);
        return Ok(planned(graph, LedgerState::default(), options, (jobs, false)));
    };
    let client = connect(target, on_wait).await?.client;
    online(graph, ledger, &client, options).await
}

/// Plans what is pending in the database of `client`.
pub(super) async fn online(
    graph: &MigrationGraph,
    ledger: &Ledger,
    client: &Client,
    options: PlanOptions,
) -> Result<Planned, ServerError> {
    let state = ledger.read(client).await?;
    // Who may not know how much room there is gets the usual number of workers.
    let jobs = Jobs::new(options.jobs, capacity(client).await.ok());
    Ok(planned(graph, state, options, (jobs, true)))
}

fn planned(
    graph: &MigrationGraph,
    state: LedgerState,
    options: PlanOptions,
    (jobs, online): (Jobs, bool),
) -> Planned {
    let timings = options.timings.or(&recorded(&state.applied));
    let estimator = Estimator::new(timings, graph.nodes().map(|node| graph.migration(node)));
    let comparison = compare(graph, state.applied, state.started);
    let applied = comparison.applied_nodes();
    let planned = |separation| Plan::new(graph, &options.wanted, &applied, &estimator, separation);
    let together = planned(Separation::declared(graph));
    let together = [Schedule::Layers, Schedule::Ready]
        .map(|schedule| simulate(&together, schedule, jobs.count));
    let plan = planned(options.separation);
    let time = |schedule, jobs| simulate(&plan, schedule, jobs);
    Planned {
        serial: time(Schedule::Ready, 1),
        layers: time(Schedule::Layers, jobs.count),
        ready: time(Schedule::Ready, jobs.count),
        together: together.into(),
        jobs: jobs.count,
        shortage: jobs.shortage,
        online,
        comparison,
        plan,
    }
}

fn recorded(applied: &[Applied]) -> Timings {
    applied.iter().map(|record| (record.id.clone(), record.execution_time_ms)).collect()
}
