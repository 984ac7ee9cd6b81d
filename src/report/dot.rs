//! The plan as a graph for Graphviz.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::text::duration;
use crate::graph::{MigrationGraph, Node};
use crate::model::is_disguise;
use crate::ops::Planned;

/// A DOT document: layers as ranks, the critical path in red.
pub(crate) fn render(graph: &MigrationGraph, planned: &Planned) -> String {
    let plan = &planned.plan;
    let critical: BTreeSet<Node> = plan.critical_path().iter().copied().collect();
    let mut out = String::from(
        "digraph migraph {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"Helvetica\"];\n",
    );
    for layer in plan.layers() {
        out.push_str("  { rank=same;\n");
        for node in layer {
            let _ =
                writeln!(out, "    {};", node_line(graph, planned, *node, critical.contains(node)));
        }
        out.push_str("  }\n");
    }
    for node in plan.nodes() {
        for dependency in plan.dependencies(node) {
            let steps = plan.critical_path().windows(2);
            let on_path = steps.into_iter().any(|step| step == [*dependency, node]);
            let style = if on_path { " [color=red, penwidth=2]" } else { "" };
            let _ = writeln!(
                out,
                "  {} -> {}{style};",
                quoted(graph.id(*dependency).as_str()),
                quoted(graph.id(node).as_str())
            );
        }
    }
    out.push_str("}\n");
    out
}

fn node_line(graph: &MigrationGraph, planned: &Planned, node: Node, critical: bool) -> String {
    let migration = graph.migration(node);
    let time = planned.plan.estimate(node).map(|it| duration(it.time)).unwrap_or_default();
    let id = migration.id.as_str();
    // `\n` is DOT's own line break inside a label.
    let label = format!("{}\\n{}\\n{time}", escaped(id), escaped(migration.name()));
    let style = if critical { ", color=red, penwidth=2" } else { "" };
    format!("{} [label=\"{label}\"{style}]", quoted(id))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Inside DOT's quotes, where entities are read as in HTML; control characters
/// cannot be shown.
fn escaped(text: &str) -> String {
    let visible: String = text.chars().map(|c| if is_disguise(c) { ' ' } else { c }).collect();
    visible.replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;")
}
