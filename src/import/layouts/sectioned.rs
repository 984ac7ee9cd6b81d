//! Layouts with both directions in one file, told apart by comments.

use super::super::Layout;
use super::super::names::{self, Label};
use super::super::reading::{Cut, Entry, Reading, is_code};
use super::super::tree::File;
use super::versioned::same_version;
use std::sync::Arc;

use crate::model::{Diagnostic, Number, Source};

/// How the files of a layout are read.
pub(super) struct Rules {
    pub(super) layout: Layout,
    pub(super) order: Order,
    /// Cuts a file into its sections.
    pub(super) cut: fn(&Arc<Source>) -> Result<Cut, Diagnostic>,
}

/// What the order of the files is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// That of their names.
    Name,
    /// That of their numbers, of which each may be there only once.
    Number,
    /// That of the instants which their numbers stand for, then that of their names.
    Instant,
}

impl Order {
    fn key(self, number: &Number) -> Option<Number> {
        match self {
            Self::Name => None,
            Self::Number => Some(number.clone()),
            Self::Instant => Some(names::instant(number)),
        }
    }
}

/// Reads every `N….sql` of the directory.
pub(super) fn read(reading: &mut Reading<'_>, rules: &Rules) {
    let tree = reading.tree;
    let mut files = Vec::new();
    for file in &tree.files {
        if reading.unused_in_directory(file, rules.layout) {
            continue;
        }
        match Number::read(file.base()) {
            Some((number, _)) if file.sql_stem().is_some() || is_code(file) => {
                files.push((number, file));
            }
            _ => reading.unused(file, "no migration by its name"),
        }
    }
    files.sort_by_cached_key(|(number, file)| (rules.order.key(number), file.name.clone()));
    let mut before: Option<(Number, &File)> = None;
    for (number, file) in files {
        let is_second = |it: &&(Number, &File)| rules.order == Order::Number && it.0 == number;
        if let Some((_, kept)) = before.as_ref().filter(is_second) {
            same_version(reading, file, kept, rules.layout);
            continue;
        }
        entry(reading, file, &number, rules);
        before = Some((number, file));
    }
}

fn entry(reading: &mut Reading<'_>, file: &File, number: &Number, rules: &Rules) {
    let stem = file.base().rsplit_once('.').map_or(file.base(), |(stem, _)| stem);
    let rest = &stem[number.as_str().len()..];
    let mut entry = Entry {
        label: Label::numbered(vec![number.clone()], "", rest),
        title: names::title(rest.trim_start_matches(['_', '-'])),
        timestamp: names::timestamp(number.as_str()),
        files: vec![file.name.clone()],
        ..Entry::default()
    };
    if file.sql_stem().is_none() {
        reading.leave_out_code(file);
    } else if let Some(source) = reading.source(file) {
        reading.take_cut(&mut entry, (rules.cut)(&source));
    }
    reading.entries.push(entry);
}
