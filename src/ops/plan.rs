//! `plan`: what would run.

use std::time::Duration;

use super::server::{ServerError, connect};
use crate::graph::MigrationGraph;
use crate::plan::{Applied, Comparison, Estimator, Plan, Schedule, Timings, compare, simulate};
use crate::postgres::{Ledger, LedgerState, Target};

/// What to plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The nodes that are wanted, by index.
    pub wanted: Vec<bool>,
    /// Measured times from a file.
    pub timings: Timings,
    /// How many workers to estimate for, besides one.
    pub jobs: usize,
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
    /// How many workers the estimates are for.
    pub jobs: usize,
    /// One worker: the sum of all estimates.
    pub serial: Duration,
    /// `jobs` workers, layer by layer.
    pub layers: Duration,
    /// `jobs` workers, each as soon as it is ready.
    pub ready: Duration,
}

/// Plans what is pending in the database behind `database`, or everything.
pub async fn plan(
    graph: &MigrationGraph,
    database: Option<(&Target, &Ledger)>,
    options: PlanOptions,
) -> Result<Planned, ServerError> {
    let state = match database {
        Some((target, ledger)) => {
            let (client, _) = connect(target).await?;
            ledger.read(&client).await?
        }
        None => LedgerState::default(),
    };
    Ok(planned(graph, state, options, database.is_some()))
}

pub(super) fn planned(
    graph: &MigrationGraph,
    state: LedgerState,
    options: PlanOptions,
    online: bool,
) -> Planned {
    let timings = options.timings.or(&recorded(&state.applied));
    let estimator = Estimator::new(timings, graph.nodes().map(|node| graph.migration(node)));
    let comparison = compare(graph, state.applied, state.started);
    let plan = Plan::new(graph, &options.wanted, &comparison.applied_nodes(), &estimator);
    let time = |schedule, jobs| simulate(&plan, schedule, jobs);
    Planned {
        serial: time(Schedule::Ready, 1),
        layers: time(Schedule::Layers, options.jobs),
        ready: time(Schedule::Ready, options.jobs),
        jobs: options.jobs,
        online,
        comparison,
        plan,
    }
}

fn recorded(applied: &[Applied]) -> Timings {
    applied.iter().map(|record| (record.id.clone(), record.execution_time_ms)).collect()
}
