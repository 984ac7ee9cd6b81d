//! `status`: what is applied, what is not, and what does not fit.

use super::server::{OnWait, ServerError, connect};
use crate::graph::{MigrationGraph, Node};
use crate::plan::{Comparison, compare};
use crate::postgres::{Ledger, Target};

/// The ledger held against the files.
#[derive(Debug)]
pub struct Status {
    /// Applied, changed, unknown and unfinished ones.
    pub comparison: Comparison,
    /// What is not applied, in the order of ids.
    pub pending: Vec<Node>,
}

/// Reads the ledger; takes no lock and changes nothing.
pub async fn status(
    graph: &MigrationGraph,
    target: &Target,
    ledger: &Ledger,
    on_wait: OnWait<'_>,
) -> Result<Status, ServerError> {
    let client = connect(target, on_wait).await?.client;
    let state = ledger.read(&client).await?;
    let comparison = compare(graph, state.applied, state.started);
    let pending = graph.nodes().filter(|node| !comparison.applied.contains_key(node)).collect();
    Ok(Status { comparison, pending })
}
