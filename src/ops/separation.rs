//! What must not run at the same time.

use crate::analyse::Analysis;
use crate::load::Loaded;
use crate::plan::Separation;

/// What is kept apart in `loaded`: what its authors say and, unless only that is to be
/// trusted, what its SQL says. The latter needs [`crate::parse::Depth::Meaning`].
pub fn separation(loaded: &Loaded, trust_declared: bool) -> Separation {
    let declared = Separation::declared(&loaded.graph);
    if trust_declared {
        return declared;
    }
    let analysis = Analysis::new(&loaded.graph, &loaded.readings);
    declared.analysed(&loaded.graph, &analysis)
}
