//! What must not run at the same time.

use crate::analyse::Analysis;
use crate::graph::MigrationGraph;
use crate::parse::Readings;
use crate::plan::Separation;

/// What is kept apart in `graph`: what its authors say and, unless only that is to be
/// trusted, what its SQL says. The latter needs the `readings` of
/// [`crate::parse::Depth::Meaning`].
pub fn separation(graph: &MigrationGraph, readings: Readings, trust_declared: bool) -> Separation {
    let declared = Separation::declared(graph);
    if trust_declared {
        return declared;
    }
    declared.analysed(graph, &Analysis::new(graph, readings))
}
