//! Layouts with a directory for each migration.

use std::collections::BTreeMap;

use super::super::Layout;
use super::super::reading::Reading;
use super::super::tree::File;

/// The files of each directory by their names in it. What lies elsewhere is unused.
pub(super) fn directories<'a>(
    reading: &mut Reading<'a>,
    layout: Layout,
) -> BTreeMap<&'a str, BTreeMap<&'a str, &'a File>> {
    let tree = reading.tree;
    let mut found: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
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

/// Says of all that is left in a directory that it is no part of a migration.
pub(super) fn rest_is_unused(reading: &mut Reading<'_>, files: BTreeMap<&str, &File>) {
    for file in files.into_values() {
        reading.unused(file, "no part of a migration by its name");
    }
}
