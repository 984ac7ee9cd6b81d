//! `validate`: everything that the files and their SQL have to be told.

use crate::analyse::{Analysis, findings};
use crate::load::Loaded;
use crate::model::{Diagnostic, Diagnostics};

/// Every finding about `loaded`, which was read to [`crate::parse::Depth::Meaning`],
/// sorted by file and place.
pub fn validate(loaded: Loaded) -> Diagnostics {
    let analysis = Analysis::new(&loaded.graph, &loaded.readings);
    let mut found = loaded.warnings;
    found.extend(findings(&loaded.graph, &analysis));
    Diagnostic::sort(&mut found);
    found
}
