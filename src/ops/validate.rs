//! `validate`: everything that the files and their SQL have to be told.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::analyse::{Analysis, findings};
use crate::graph::{MigrationGraph, Node};
use crate::lint::{Ignores, LintOptions, lint};
use crate::load::Loaded;
use crate::model::{Code, Diagnostic, Diagnostics, Place, Severity};
use crate::plan::{Estimator, Plan, Separation, Timings};

/// Of a group that is kept apart, so many files are shown; all are named.
const SHOWN: usize = 8;

/// Every finding about `loaded`, which was read to [`crate::parse::Depth::Meaning`],
/// sorted by file and place.
/// Rules have the levels that `options` give, and comments in the files are heeded.
pub fn validate(loaded: Loaded, options: &LintOptions) -> Diagnostics {
    let Loaded { graph, readings, warnings } = loaded;
    let mut found = warnings;
    found.extend(lint(&graph, &readings, options));
    let analysis = Analysis::new(&graph, readings);
    let (told, apart) =
        rayon::join(|| findings(&graph, &analysis), || conflicts(&graph, &analysis));
    found.extend(told);
    found.extend(apart);
    let mut ignores = Ignores::of(&graph);
    let mut found = ignores.filter(found);
    found.extend(ignores.leftover(&options.rules));
    let mut found = options.rules.apply(found);
    Diagnostic::sort(&mut found);
    found
}

/// What can be said of the files beside broken ones: `loaded` is what
/// [`crate::load::around_broken`] made of them.
pub fn validate_around_broken(loaded: Loaded, options: &LintOptions) -> Diagnostics {
    let Loaded { graph, readings, .. } = &loaded;
    let whole = |node: &Node| readings.contains_key(graph.id(*node));
    let whole: BTreeSet<PathBuf> = (graph.nodes().filter(whole))
        .map(|node| graph.migration(node).source.path().to_owned())
        .collect();
    let inside = |place: &Place| whole.contains(place.source.path());
    let mut found = validate(loaded, options);
    // First things first: notes are for a directory that can be planned.
    found.retain(|one| {
        one.severity != Severity::Info && one.place.iter().chain(&one.related).all(inside)
    });
    found
}

/// What is kept apart within each layer of the whole graph.
pub(super) fn conflicts(graph: &MigrationGraph, analysis: &Analysis) -> Diagnostics {
    let separation = Separation::declared(graph).analysed(graph, analysis);
    let estimator = Estimator::new(Timings::default(), []);
    let all = vec![true; graph.len()];
    let plan = Plan::new(graph, &all, &BTreeSet::new(), &estimator, separation);
    let in_layer = |layer: &Vec<Node>| plan.separation().groups(layer);
    let groups = plan.layers().iter().flat_map(in_layer);
    groups.filter_map(|(what, group)| conflict(graph, &plan, (what, &group))).collect()
}

fn conflict(
    graph: &MigrationGraph,
    plan: &Plan,
    (what, group): (&str, &[Node]),
) -> Option<Diagnostic> {
    let file = |node: &Node| Place::file(&graph.migration(*node).source);
    let (first, rest) = group.split_first()?;
    let ids: Vec<_> = group.iter().map(|node| graph.id(*node).as_str()).collect();
    let times = || group.iter().filter_map(|node| plan.estimate(*node)).map(|it| it.time);
    // Side by side, all would be done when the longest is.
    let longest = times().max().unwrap_or_default();
    let cost = times().sum::<Duration>().saturating_sub(longest);
    let message = format!(
        "kept apart, because of {what}, which costs up to {cost:?} by the estimates of `plan`: {}",
        ids.join(", ")
    );
    let info = Diagnostic::info(Code::Conflict, message).at(file(first));
    Some(rest.iter().take(SHOWN).fold(info, |info, node| info.also(file(node))))
}
