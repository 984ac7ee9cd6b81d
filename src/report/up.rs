//! The end of a run for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::text::{count, duration, wrapped};
use crate::engine::{FailureKind, Notices, Receipt};
use crate::exec::{Ended, Skip};
use crate::graph::{MigrationGraph, Node};
use crate::ops::UpReport;

const SLOWEST: usize = 5;

/// What was applied, what was not and why, how long it took.
pub(crate) fn render(graph: &MigrationGraph, report: &UpReport) -> String {
    let result = &report.result;
    if report.planned.plan.is_empty() {
        let applied = count(report.planned.comparison.applied.len(), "migration");
        return format!("Nothing to do: {applied} applied already.\n{}", unflushed(report));
    }
    let mut out = headline(report);
    out.push('\n');
    if !result.applied.is_empty() {
        out.push_str(&slowest(graph, report));
    }
    for (node, failure) in &result.failed {
        let what = match failure.kind {
            FailureKind::Cancelled => "cancelled",
            FailureKind::Interrupted => "interrupted",
            _ => "failed",
        };
        let _ = writeln!(out, "{what}: {}", graph.id(*node));
    }
    out.push_str(&warnings(result.notices.values()));
    out.push_str(&unflushed(report));
    if report.lock_lost {
        out.push_str(
            "The run lock was lost with its session, so everything that ran was cancelled.\n",
        );
    }
    if !result.unrecorded.is_empty() {
        let ids: Vec<_> = result.unrecorded.keys().map(|node| graph.id(*node).as_str()).collect();
        out.push_str("The ledger may have no record of failed tries of these:\n");
        out.push_str(&wrapped("  ", &ids, ", "));
    }
    out.push_str(&skipped(graph, &result.skipped));
    let _ = writeln!(out, "batch {}", report.batch);
    if result.ended != Ended::Complete {
        out.push_str("What is applied stays applied; `migraph up` goes on from here.\n");
    }
    out
}

fn unflushed(report: &UpReport) -> String {
    let told = |reason: &String| {
        format!(
            "Commits of a fast run could not be flushed to disk ({reason}): after a crash of the server, look at `migraph status`.\n"
        )
    };
    report.unflushed.as_ref().map(told).unwrap_or_default()
}

fn headline(report: &UpReport) -> String {
    let result = &report.result;
    let applied = result.applied.len();
    let wall = duration(result.wall);
    let done = match result.ended {
        Ended::Complete => format!("{} in {wall}", count(applied, "migration")),
        _ => format!("{applied} of {} in {wall}", count(report.planned.plan.len(), "migration")),
    };
    // The sum of the times as they ran, waits for locks and for a free core
    // included: a run with one worker would be at most that slow.
    // What an earlier run has spent on a script that was resumed does not count.
    let here = |receipt: &Receipt| receipt.execution_time().min(result.wall);
    let serial: Duration = result.applied.values().map(here).sum();
    let ratio = serial.as_secs_f64() / result.wall.as_secs_f64().max(1e-9);
    if applied > 1 && ratio >= 1.05 {
        format!("{done}, up to {ratio:.1} times faster than one after another")
    } else {
        done
    }
}

/// How much the server said; nothing unless it warned.
fn warnings<'a>(all: impl Iterator<Item = &'a Notices>) -> String {
    let add =
        |(warnings, others), one: &Notices| (warnings + one.warnings(), others + one.others());
    match all.fold((0, 0), add) {
        (0, _) => String::new(),
        (warnings, 0) => format!("the server gave {}\n", count(warnings, "warning")),
        (warnings, others) => format!(
            "the server gave {} and {} (shown with -v)\n",
            count(warnings, "warning"),
            count(others, "notice")
        ),
    }
}

fn slowest(graph: &MigrationGraph, report: &UpReport) -> String {
    let mut times: Vec<_> = report.result.applied.iter().map(|(node, it)| (*it, *node)).collect();
    times.sort_by(|a, b| {
        b.0.execution_time_ms.total_cmp(&a.0.execution_time_ms).then(a.1.cmp(&b.1))
    });
    let mut out = "slowest:\n".to_owned();
    for (receipt, node) in times.into_iter().take(SLOWEST) {
        let _ =
            writeln!(out, "  {:<56} {:>11}", graph.id(node), duration(receipt.execution_time()));
    }
    out
}

/// Skipped ones, those with the same reason together.
fn skipped(graph: &MigrationGraph, skipped: &[(Node, Skip)]) -> String {
    let mut reasons: Vec<Skip> = Vec::new();
    for (_, skip) in skipped {
        if !reasons.contains(skip) {
            reasons.push(*skip);
        }
    }
    let mut out = String::new();
    for reason in reasons {
        let ids: Vec<_> = (skipped.iter())
            .filter(|(_, skip)| *skip == reason)
            .map(|(node, _)| graph.id(*node).as_str())
            .collect();
        let _ = match reason {
            Skip::Needs(node) => writeln!(out, "skipped, because they need {}:", graph.id(node)),
            Skip::RunEnded => writeln!(out, "not started, because the run ended before:"),
        };
        out.push_str(&wrapped("  ", &ids, ", "));
    }
    out
}
