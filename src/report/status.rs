//! The state of a database for people.

use std::fmt::Write as _;

use super::text::count;
use crate::graph::MigrationGraph;
use crate::model::Script;
use crate::ops::Status;
use crate::plan::Unfinished;

/// One line a migration, then the totals.
pub(crate) fn render(graph: &MigrationGraph, status: &Status) -> String {
    let comparison = &status.comparison;
    let mut out = String::new();
    let mut applied: Vec<_> = comparison.applied.iter().collect();
    applied.sort_by(|a, b| (a.1.applied_at, a.0).cmp(&(b.1.applied_at, b.0)));
    for (node, record) in applied {
        let state = if comparison.changed.contains(node) { "changed" } else { "applied" };
        let _ = writeln!(out, "{}", line(state, &record.id, Some(record)));
    }
    for record in &comparison.unknown {
        let _ = writeln!(out, "{}", line("unknown", &record.id, Some(record)));
    }
    for id in &comparison.unknown_unfinished {
        let _ = writeln!(out, "{}", line("unknown", id, None));
    }
    for node in &status.pending {
        let unfinished = comparison.unfinished.get(node);
        let state = if unfinished.is_some() { "unfinished" } else { "pending" };
        let _ = writeln!(out, "{}", line(state, graph.id(*node).as_str(), None));
        if let Some(unfinished) = unfinished {
            let script = &graph.migration(*node).up;
            let _ = writeln!(out, "           {}", how_far(script, unfinished));
        }
    }
    out.push_str(&totals(status));
    out
}

/// How far earlier runs have come with a script that runs step by step.
pub(crate) fn how_far(script: &Script, unfinished: &Unfinished) -> String {
    let (done, all) = (unfinished.statements_done(script), script.statements.len());
    let begun = unfinished
        .interrupted()
        .map(|started| format!(", statement {} begun and not known to be done", started.statement));
    format!("{done} of {all} statements done{}", begun.unwrap_or_default())
}

fn line(state: &str, id: &str, record: Option<&crate::plan::Applied>) -> String {
    let Some(record) = record else { return format!("{state:<10} {id}") };
    let at = record.applied_at.strftime("%Y-%m-%d %H:%M:%SZ");
    let batch: String = record.batch_id.chars().take(8).collect();
    format!(
        "{state:<10} {id}\n           {at}  {:>12.3} ms  layer {:<3} batch {batch}",
        record.execution_time_ms,
        record.layer + 1
    )
}

fn totals(status: &Status) -> String {
    let comparison = &status.comparison;
    let times: Vec<f64> = comparison.applied.values().map(|it| it.execution_time_ms).collect();
    let total: f64 = times.iter().sum();
    let mut out = format!(
        "\n{} applied, {} pending, {} changed, {} unknown, {} unfinished\n",
        times.len(),
        status.pending.len(),
        comparison.changed.len(),
        comparison.unknown.len() + comparison.unknown_unfinished.len(),
        comparison.unfinished.len(),
    );
    if !times.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "no ledger has 2^52 rows")]
        let average = total / times.len() as f64;
        let _ = writeln!(
            out,
            "{total:.3} ms in all, {average:.3} ms on average over {}",
            count(times.len(), "migration")
        );
    }
    out
}
