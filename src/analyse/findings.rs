//! What the SQL says about the headers.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::Analysis;
use super::backwards::backwards;
use super::needs::{Strictness, Why, needs};
use super::order::implied;
use super::undeclared::{Undeclared, undeclared};
use crate::graph::{MigrationGraph, Node};
use crate::model::{Code, Dependency, Diagnostic, Diagnostics, Place, Span};
use crate::sql::{Footprint, Op, Touch};

/// Everything that `analysis` finds in `graph`, in no particular order.
pub fn findings(graph: &MigrationGraph, analysis: &Analysis) -> Diagnostics {
    let finder = Finder { graph, analysis };
    let mut found = finder.undeclared();
    found.extend(finder.redundant());
    found.extend(graph.nodes().flat_map(|node| finder.of_one(node)));
    found
}

struct Finder<'a> {
    graph: &'a MigrationGraph,
    analysis: &'a Analysis,
}

impl Finder<'_> {
    fn undeclared(&self) -> Diagnostics {
        let (pairs, strict) =
            rayon::join(|| self.pairs(Strictness::Relaxed), || self.pairs(Strictness::Strict));
        let ordered: BTreeSet<_> = pairs.iter().map(|it| (it.dependency, it.dependent)).collect();
        let strict = strict.into_iter().filter(|it| {
            it.need.why == Why::ColumnOrder && !ordered.contains(&(it.dependency, it.dependent))
        });
        let columns = strict.map(|pair| self.column_order(pair));
        let errors = pairs.iter().map(|pair| self.missing(*pair));
        let others = self.around_opaque(&pairs).into_iter().chain(self.backwards());
        errors.chain(columns).chain(others).collect()
    }

    /// A migration that could not be read, and those that stand in no order with it:
    /// whether that matters nobody can tell, so it is no error.
    fn around_opaque(&self, errors: &[Undeclared]) -> Diagnostics {
        if self.analysis.footprints().iter().all(Footprint::is_clear) {
            return vec![];
        }
        let mut declared = self.declared();
        for pair in errors.iter().filter(|pair| pair.dependency < pair.dependent) {
            declared[pair.dependent].push(pair.dependency);
        }
        let footprints = self.analysis.footprints();
        let anything = |cell, _| self.analysis.catalogue().is_anything(cell);
        let mut unordered: BTreeMap<usize, (Span, Vec<usize>)> = BTreeMap::new();
        for pair in undeclared(footprints, &declared, Strictness::Relaxed, anything) {
            let (opaque, span, other) = match footprints[pair.dependent].is_clear() {
                true => (pair.dependency, pair.need.earlier, pair.dependent),
                false => (pair.dependent, pair.need.later, pair.dependency),
            };
            unordered.entry(opaque).or_insert((span, Vec::new())).1.push(other);
        }
        unordered
            .into_iter()
            .map(|(place, (span, others))| self.unread(place, span, &others))
            .collect()
    }

    fn unread(&self, place: usize, span: Span, others: &[usize]) -> Diagnostic {
        let node = |place: usize| self.analysis.order()[place];
        let mut ids: Vec<_> = others.iter().map(|it| self.graph.id(node(*it)).as_str()).collect();
        ids.sort_unstable();
        let message = format!(
            "`{}` cannot be read in whole, and stands in no order with {}",
            self.graph.id(node(place)),
            ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
        );
        Diagnostic::warning(Code::UndeclaredDependency, message)
            .at(self.place(node(place), span, "what this touches cannot be told"))
            .help("say which comes first where one needs the other: nothing else here can tell")
    }

    /// What each migration declares, by places in the replay.
    fn declared(&self) -> Vec<Vec<usize>> {
        let parents = |node: &Node| {
            let parents = self.graph.dependencies(*node);
            parents.into_iter().map(|parent| self.analysis.place(parent)).collect()
        };
        self.analysis.order().iter().map(parents).collect()
    }

    /// What only the body of a function says that nobody called, and what a statement
    /// may do that could not be read, is no reason for an error.
    fn pairs(&self, strictness: Strictness) -> Vec<Undeclared> {
        let (analysis, declared) = (self.analysis, self.declared());
        let counts = |cell, touch: Touch| !touch.soft && !analysis.catalogue().is_anything(cell);
        undeclared(analysis.footprints(), &declared, strictness, counts)
    }

    /// What is declared the wrong way round.
    fn backwards(&self) -> Diagnostics {
        let is_made = |cell| self.analysis.catalogue().is_only_made(cell);
        let pairs = backwards(self.analysis.footprints(), &self.declared(), is_made);
        pairs.into_iter().map(|pair| self.wrong_way_round(pair)).collect()
    }

    fn wrong_way_round(&self, pair: Undeclared) -> Diagnostic {
        let ((earlier, first_span), (later, second_span)) = self.sides(pair);
        let (first, second) = (self.graph.id(earlier), self.graph.id(later));
        let object = self.analysis.catalogue().describe(pair.need.cell);
        let message =
            format!("`{second}` uses {object}, which `{first}` makes, and that depends on it");
        let help = format!("`{second}` must depend on `{first}`, and not the other way round");
        let guarded = |node, op| {
            let touch = self.analysis.footprint(node).touch(pair.need.cell, op);
            touch.is_some_and(|touch| touch.guarded)
        };
        // A baseline elsewhere may have made it, or what uses it.
        let problem = if guarded(earlier, Op::Write) || guarded(later, Op::Read) {
            Diagnostic::warning(Code::UndeclaredDependency, message)
                .help(format!("{help}, unless something else makes it before these"))
        } else {
            Diagnostic::error(Code::UndeclaredDependency, message).help(help)
        };
        let used = self.place(later, second_span, "used here");
        let made = self.place(earlier, first_span, "made here");
        problem.at(used).also(made)
    }

    /// The one that must come first, the one that must come behind it, and where each
    /// says so.
    fn sides(&self, pair: Undeclared) -> ((Node, Span), (Node, Span)) {
        let Undeclared { dependent, dependency, need } = pair;
        let node = |place: usize| self.analysis.order()[place];
        // `need` has them in the order of the replay.
        let (first, second) = match dependency < dependent {
            true => (need.earlier, need.later),
            false => (need.later, need.earlier),
        };
        ((node(dependency), first), (node(dependent), second))
    }

    fn missing(&self, pair: Undeclared) -> Diagnostic {
        let ((earlier, made), (later, used)) = self.sides(pair);
        let (first, second) = (self.graph.id(earlier), self.graph.id(later));
        let object = self.analysis.catalogue().describe(pair.need.cell);
        let (message, here, there) = match pair.need.why {
            Why::Uses | Why::MakesMissing => (
                format!("`{second}` uses {object} and does not depend on `{first}`"),
                "used here",
                "made or changed here",
            ),
            Why::TakesAway => (
                format!(
                    "`{second}` takes away {object}, which `{first}` uses, and does not depend on it"
                ),
                "taken away here",
                "used here",
            ),
            Why::ChangesUsed => (
                format!(
                    "`{second}` changes {object}, which `{first}` uses, and does not depend on it"
                ),
                "changed here",
                "used here",
            ),
            Why::RowOrder => (
                format!(
                    "`{second}` and `{first}` both add rows to {object}, which are numbered or picked \
                     in the order in which they stand, and neither depends on the other"
                ),
                "added here",
                "added here too",
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
            .at(self.place(later, used, here))
            .also(self.place(earlier, made, there))
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
        let ((earlier, before), (later, behind)) = self.sides(pair);
        let (first, second) = (self.graph.id(earlier), self.graph.id(later));
        let object = self.analysis.catalogue().describe(pair.need.cell);
        let message = format!(
            "`{second}` and `{first}` both add columns to {object}: their order may differ from database to database"
        );
        Diagnostic::info(Code::ColumnOrder, message)
            .at(self.place(later, behind, "here"))
            .also(self.place(earlier, before, "and here"))
            .help("name the columns in every INSERT, or let one migration depend on the other")
    }

    fn of_one(&self, node: Node) -> Diagnostics {
        let mut found = self.remarks(node);
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
    fn redundant(&self) -> Diagnostics {
        let listed: Vec<Vec<usize>> =
            self.analysis.order().iter().map(|it| self.listed(*it)).collect();
        let all = self.analysis.order().iter().zip(implied(&listed));
        all.flat_map(|(node, by)| self.redundant_in(*node, &by)).collect()
    }

    /// What the header of `node` lists, by places, in its own order.
    fn listed(&self, node: Node) -> Vec<usize> {
        let listed = &self.graph.migration(node).header.dependencies;
        let nodes = listed.iter().filter_map(|it| self.graph.node(&it.id));
        nodes.map(|node| self.analysis.place(node)).collect()
    }

    fn redundant_in(&self, node: Node, by: &[Option<usize>]) -> Diagnostics {
        let listed = &self.graph.migration(node).header.dependencies;
        let known = listed.iter().filter(|it| self.graph.node(&it.id).is_some());
        let message = |(it, by): (&Dependency, &Option<usize>)| {
            let through = self.analysis.order()[(*by)?];
            let message = format!(
                "`{}` need not list `{}`: `{}` depends on it",
                self.graph.id(node),
                it.id,
                self.graph.id(through)
            );
            let place = self.header_place(node, it.span);
            Some(Diagnostic::info(Code::RedundantDependency, message).at(place))
        };
        known.zip(by).filter_map(message).collect()
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
                !earlier.is_clear() || needs(earlier, later, Strictness::Strict).next().is_some();
            if explained {
                return None;
            }
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
