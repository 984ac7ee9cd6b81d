//! What the SQL says about the headers.

use std::collections::BTreeSet;

use super::analysis::Analysis;
use super::needs::{Strictness, Why, needs};
use super::undeclared::{Undeclared, undeclared};
use crate::graph::{MigrationGraph, Node};
use crate::model::{Code, Dependency, Diagnostic, Diagnostics, Place, Span};

/// Everything that `analysis` finds in `graph`, in no particular order.
pub fn findings(graph: &MigrationGraph, analysis: &Analysis) -> Diagnostics {
    let finder = Finder { graph, analysis };
    let mut found = finder.undeclared();
    found.extend(graph.nodes().flat_map(|node| finder.of_one(node)));
    found
}

struct Finder<'a> {
    graph: &'a MigrationGraph,
    analysis: &'a Analysis,
}

impl Finder<'_> {
    fn undeclared(&self) -> Diagnostics {
        let mut found = Diagnostics::new();
        let mut ordered = BTreeSet::new();
        for pair in undeclared(self.graph, self.analysis, Strictness::Relaxed) {
            ordered.insert((pair.earlier, pair.later));
            found.push(self.missing(pair));
        }
        for pair in undeclared(self.graph, self.analysis, Strictness::Strict) {
            if pair.need.why == Why::ColumnOrder && !ordered.contains(&(pair.earlier, pair.later)) {
                found.push(self.column_order(pair));
            }
        }
        found
    }

    fn missing(&self, pair: Undeclared) -> Diagnostic {
        let Undeclared { earlier, later, need } = pair;
        let (first, second) = (self.graph.id(earlier), self.graph.id(later));
        let object = self.analysis.catalogue().describe(need.cell);
        let (message, here, there) = match need.why {
            Why::Uses => (
                format!("`{second}` uses {object} and does not depend on `{first}`"),
                "used here",
                "made or changed here",
            ),
            Why::ChangesUsed => (
                format!(
                    "`{second}` changes {object}, which `{first}` uses, and does not depend on it"
                ),
                "changed here",
                "used here",
            ),
            Why::BothChange | Why::ColumnOrder => (
                format!(
                    "`{second}` and `{first}` both change {object}, and neither depends on the other"
                ),
                "changed here",
                "changed here too",
            ),
        };
        Diagnostic::error(Code::UndeclaredDependency, message)
            .at(self.place(later, need.later, here))
            .also(self.place(earlier, need.earlier, there))
            .help(format!("in `{second}`, write `{}`", self.line_with(later, earlier)))
    }

    /// The `@dependencies` line of `node`, with one more.
    fn line_with(&self, node: Node, more: Node) -> String {
        let listed = &self.graph.migration(node).header.dependencies;
        let listed = listed.iter().map(|dependency| dependency.id.as_str());
        let ids: Vec<_> = listed.chain([self.graph.id(more).as_str()]).collect();
        format!("-- @dependencies: [{}]", ids.join(", "))
    }

    fn column_order(&self, pair: Undeclared) -> Diagnostic {
        let Undeclared { earlier, later, need } = pair;
        let (first, second) = (self.graph.id(earlier), self.graph.id(later));
        let object = self.analysis.catalogue().describe(need.cell);
        let message = format!(
            "`{second}` and `{first}` both add columns to {object}: their order may differ from database to database"
        );
        Diagnostic::info(Code::ColumnOrder, message)
            .at(self.place(later, need.later, "here"))
            .also(self.place(earlier, need.earlier, "and here"))
            .help("name the columns in every INSERT, or let one migration depend on the other")
    }

    fn of_one(&self, node: Node) -> Diagnostics {
        let mut found = self.remarks(node);
        found.extend(self.redundant(node));
        found.extend(self.unexplained(node));
        found
    }

    fn remarks(&self, node: Node) -> Diagnostics {
        let footprint = self.analysis.footprint(node);
        let barriers = footprint.barriers().iter().filter(|remark| !remark.soft).map(|remark| {
            let message =
                format!("`{}` runs while nothing else does: {}", self.graph.id(node), remark.why);
            Diagnostic::info(Code::Barrier, message).at(self.place(node, remark.span, ""))
        });
        let opaque = footprint.opaque().iter().filter(|remark| !remark.soft).map(|remark| {
            let message = format!("what this touches cannot be told: {}", remark.why);
            Diagnostic::warning(Code::Opaque, message).at(self.place(node, remark.span, "")).help(
                "its dependencies are taken at their word, and it runs while nothing else does",
            )
        });
        barriers.chain(opaque).collect()
    }

    /// Dependencies that another dependency brings along.
    fn redundant(&self, node: Node) -> Diagnostics {
        let listed = &self.graph.migration(node).header.dependencies;
        let nodes: Vec<_> = listed.iter().filter_map(|it| self.graph.node(&it.id)).collect();
        if nodes.len() < 2 {
            return vec![];
        }
        let implied = |it: &&Dependency| {
            let dependency = self.graph.node(&it.id)?;
            let through = nodes.iter().copied().find(|other| {
                *other != dependency && self.analysis.comes_behind(*other, dependency)
            })?;
            let message = format!(
                "`{}` need not list `{}`: `{}` depends on it",
                self.graph.id(node),
                it.id,
                self.graph.id(through)
            );
            Some(
                Diagnostic::info(Code::RedundantDependency, message)
                    .at(self.header_place(node, it.span)),
            )
        };
        listed.iter().filter_map(|it| implied(&it)).collect()
    }

    /// Dependencies for which the SQL shows no reason.
    fn unexplained(&self, node: Node) -> Diagnostics {
        let later = self.analysis.footprint(node);
        if !later.is_clear() {
            return vec![];
        }
        let without_reason = |it: &&Dependency| {
            let dependency = self.graph.node(&it.id)?;
            let earlier = self.analysis.footprint(dependency);
            let explained =
                !earlier.is_clear() || !needs(earlier, later, Strictness::Strict).is_empty();
            if explained {
                return None;
            };
            let message = format!("`{}` and `{}` share no object", self.graph.id(node), it.id);
            Some(Diagnostic::info(Code::UnexplainedDependency, message)
                .at(self.header_place(node, it.span))
                .help("it may be about data; if it is not, without it the two run at the same time"))
        };
        self.graph
            .migration(node)
            .header
            .dependencies
            .iter()
            .filter_map(|it| without_reason(&it))
            .collect()
    }

    /// A place in the up script of `node`.
    fn place(&self, node: Node, span: Span, label: &str) -> Place {
        let migration = self.graph.migration(node);
        let span = span.shifted(migration.up.span.start);
        Place::new(&migration.source, migration.source.first_line(span), label)
    }

    fn header_place(&self, node: Node, span: Span) -> Place {
        Place::new(&self.graph.migration(node).source, span, "")
    }
}
