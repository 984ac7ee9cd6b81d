//! Layouts with a directory for each migration.

use std::collections::BTreeMap;

use super::super::Layout;
use super::super::reading::Reading;
use super::super::tree::File;
use crate::model::Code;

/// The files of each directory by their names in it, also of one without files. What
/// lies elsewhere is unused.
pub(super) fn directories<'a>(
    reading: &mut Reading<'a>,
    layout: Layout,
) -> BTreeMap<&'a str, BTreeMap<&'a str, &'a File>> {
    let tree = reading.tree;
    let empty = |dir: &'a File| (dir.name.as_str(), BTreeMap::new());
    let mut found: BTreeMap<_, BTreeMap<_, _>> = tree.dirs.iter().map(empty).collect();
    for file in &tree.files {
        match file.dirs().as_slice() {
            [dir] => {
                found.entry(*dir).or_default().insert(file.base(), file);
            }
            _ => reading.unused(file, format!("in no migration's directory of {layout}")),
        }
    }
    found
}

/// Says of a directory that its up script is missing, which the tool refuses: at the
/// files that belong to it, or at the directory itself.
pub(super) fn without_up(reading: &mut Reading<'_>, dir: &str, (up, beside): (&str, &[&File])) {
    for file in beside {
        reading.leave_out(file, Code::MissingUp, format!("there is no `{up}` beside it"));
    }
    let tree = reading.tree;
    if let Some(dir) = tree.dirs.iter().find(|it| it.name == dir).filter(|_| beside.is_empty()) {
        reading.leave_out(dir, Code::MissingUp, format!("there is no `{up}` in this directory"));
    }
}

/// Says of all that is left in a directory that it is no part of a migration.
pub(super) fn rest_is_unused(reading: &mut Reading<'_>, files: BTreeMap<&str, &File>) {
    for file in files.into_values() {
        reading.unused(file, "no part of a migration by its name");
    }
}
