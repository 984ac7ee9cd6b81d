//! The plan for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::status::how_far;
use super::text::{count, duration, wrapped};
use crate::graph::{MigrationGraph, Node};
use crate::model::Migration;
use crate::ops::Planned;
use crate::plan::Basis;

/// The plan in 80 columns.
pub(crate) fn render(graph: &MigrationGraph, planned: &Planned) -> String {
    let plan = &planned.plan;
    let drift = drift(planned);
    if plan.is_empty() {
        return format!("Nothing to do: every migration is applied.\n{drift}");
    }
    let critical: BTreeSet<Node> = plan.critical_path().iter().copied().collect();
    let mut out =
        format!("{} in {}", count(plan.len(), "migration"), count(plan.layers().len(), "layer"));
    let applied = planned.comparison.applied.len();
    let _ = match planned.online {
        true => writeln!(out, ", {applied} already applied"),
        false => writeln!(out, " (no database asked)"),
    };
    for (at, layer) in plan.layers().iter().enumerate() {
        let _ = writeln!(out, "\nlayer {} ({})", at + 1, count(layer.len(), "migration"));
        for node in layer {
            out.push_str(&entry(graph, planned, *node, critical.contains(node)));
        }
        for (what, group) in plan.separation().groups(layer) {
            let ids: Vec<_> = group.iter().map(|node| graph.id(*node).as_str()).collect();
            out.push_str(&wrapped(&format!("  kept apart by {what}: "), &ids, ", "));
        }
    }
    out.push_str(&footer(graph, planned));
    out.push_str(&drift);
    out
}

/// What will keep `up` from running this plan.
fn drift(planned: &Planned) -> String {
    let comparison = &planned.comparison;
    if comparison.agrees() {
        return String::new();
    }
    let unknown = comparison.unknown.len() + comparison.unknown_unfinished.len();
    format!(
        "\n`up` will refuse: {} changed since, {unknown} in the database and in no file\n(`migraph status` names them)\n",
        count(comparison.changed.len(), "applied migration"),
    )
}

fn entry(graph: &MigrationGraph, planned: &Planned, node: Node, critical: bool) -> String {
    let migration = graph.migration(node);
    let mark = if critical { '*' } else { ' ' };
    let time = planned.plan.estimate(node).map(|it| duration(it.time)).unwrap_or_default();
    let mut out = format!("{mark} {:<56} {time:>11}", migration.id);
    for flag in flags(migration) {
        let _ = write!(out, "\n      {flag}");
    }
    if let Some(unfinished) = planned.comparison.unfinished.get(&node) {
        let _ = write!(out, "\n      unfinished: {}", how_far(&migration.up, unfinished));
    }
    if let Some(why) = planned.plan.separation().is_alone(node) {
        let _ = write!(out, "\n      runs alone: {why}");
    }
    out.push('\n');
    let dependencies = graph.dependencies(node);
    if !dependencies.is_empty() {
        let ids: Vec<_> = dependencies.iter().map(|node| graph.id(*node).as_str()).collect();
        out.push_str(&wrapped("      needs ", &ids, ", "));
    }
    out
}

/// What is unusual about a migration.
pub(crate) fn flags(migration: &Migration) -> Vec<&'static str> {
    let mut flags = Vec::new();
    if migration.up.has_bare_statements() {
        flags.push("runs without a transaction");
    } else if migration.up.is_non_transactional() {
        flags.push("runs in several transactions");
    }
    if migration.down.is_none() {
        flags.push("no down section");
    }
    flags
}

fn footer(graph: &MigrationGraph, planned: &Planned) -> String {
    let plan = &planned.plan;
    let path: Vec<_> = plan.critical_path().iter().map(|node| graph.id(*node).as_str()).collect();
    let mut out = format!("\n* critical path, {}:\n", duration(plan.critical_time()));
    out.push_str(&wrapped("  ", &path, " -> "));
    let _ = writeln!(out, "\nestimated time       1 worker   {:>9}", count(planned.jobs, "worker"));
    for (name, time) in [("layers", planned.layers), ("ready", planned.ready)] {
        let _ =
            writeln!(out, "  {name:<16} {:>11} {:>11}", duration(planned.serial), duration(time));
    }
    out.push_str(&cost_of_separation(planned));
    out.push_str(&basis(planned));
    if let Some(shortage) = planned.shortage {
        out.push_str(&wrapped("", &shortage.to_string().split(' ').collect::<Vec<_>>(), " "));
    }
    out
}

/// What it costs that not all may run at once that no dependency orders.
fn cost_of_separation(planned: &Planned) -> String {
    let (layers, ready) = planned.together;
    let more = [planned.layers.saturating_sub(layers), planned.ready.saturating_sub(ready)];
    let [layers, ready] = more.map(duration);
    if more.iter().all(Duration::is_zero) {
        return String::new();
    }
    format!(
        "keeping apart what must not run at once: {layers} more under layers,\n  {ready} under ready\n"
    )
}

/// What the estimates are based on.
fn basis(planned: &Planned) -> String {
    let plan = &planned.plan;
    let of = |basis| {
        plan.nodes().filter(|node| plan.estimate(*node).is_some_and(|it| it.basis == basis)).count()
    };
    let parts = [
        (of(Basis::Measured), "measured"),
        (of(Basis::Median), "the median of the same @performanceImpact"),
        (of(Basis::Fixed), "fixed for the @performanceImpact"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    let parts: Vec<_> = parts.collect();
    wrapped("estimates: ", &parts.iter().map(String::as_str).collect::<Vec<_>>(), ", ")
}
