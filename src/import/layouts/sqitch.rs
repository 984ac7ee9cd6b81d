//! sqitch: a plan, and the scripts that it names.
//!
//! `sqitch.plan` gives the order and what each change requires; `deploy/NAME.sql`
//! applies it, `revert/NAME.sql` undoes it, `verify/NAME.sql` checks it, unless
//! `sqitch.conf` names other places ([`super::sqitch_conf`]). A change that
//! was reworked stands in the plan twice, and the script of the earlier one is
//! `NAME@TAG.sql` (<https://sqitch.org/docs/manual/sqitch-rework/>).
//!
//! sqitch hands a script to psql, which commits each statement that is not in a
//! `BEGIN … COMMIT` of the script's own. `@transaction: auto` runs what has no such
//! block in one transaction: stricter, and nothing is left half done.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::super::names::{self, Label};
use super::super::reading::{Entry, Reading, malformed};
use super::super::tree::{File, Tree};
use super::sqitch_conf::Places;
use super::sqitch_plan::{self, Change, Line};
use crate::model::{Code, Diagnostic, Place, Source, Span};

/// A change at its place in the plan, with the tags that stand behind it.
struct Step<'a> {
    span: Span,
    change: Change<'a>,
    tags: Vec<&'a str>,
}

/// The plan, if there is one.
pub(in super::super) fn plan(tree: &Tree) -> Option<&File> {
    tree.get(&Places::of(tree).plan)
}

/// Reads the directory.
pub(super) fn read(reading: &mut Reading<'_>) {
    let tree = reading.tree;
    let places = Places::of(tree);
    let Some(plan) = tree.get(&places.plan) else {
        return rest(reading, &places, &BTreeSet::new());
    };
    let Some(source) = reading.source(plan) else { return };
    let steps = steps(reading, &source);
    let mut used = BTreeSet::new();
    for at in 0..steps.len() {
        let files = files((tree, &places), &steps, at);
        used.extend([files.deploy, files.revert, files.verify].into_iter().flatten());
        entry(reading, &source, (&steps, at), &files);
    }
    rest(reading, &places, &used);
}

fn steps<'a>(reading: &mut Reading<'_>, source: &'a Arc<Source>) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for (span, line) in sqitch_plan::lines(source.text()) {
        match line {
            Line::Change(change) => steps.push(Step { span, change, tags: vec![] }),
            Line::Tag(tag) => {
                if let Some(last) = steps.last_mut() {
                    last.tags.push(tag);
                }
            }
            Line::Revert(name) => {
                let why = format!("the plan takes `{name}` back here");
                reading.problems.push(malformed(source, source.first_line(span), why));
            }
        }
    }
    steps
}

/// The scripts of a change.
struct Files<'a> {
    deploy: Option<&'a File>,
    revert: Option<&'a File>,
    verify: Option<&'a File>,
}

fn files<'a>((tree, places): (&'a Tree, &Places), steps: &[Step<'_>], at: usize) -> Files<'a> {
    let name = steps[at].change.name;
    let again = steps[at + 1..].iter().position(|step| step.change.name == name);
    let script = |dir: &str| match again {
        None => tree.get(&format!("{dir}/{name}.sql")),
        // The tag is one of those between this one and the next of its name: the last
        // that has a script.
        Some(next) => {
            let between = steps[at..=at + next].iter().rev().flat_map(|step| &step.tags);
            let mut paths = between.map(|tag| format!("{dir}/{name}@{tag}.sql"));
            paths.find_map(|path| tree.get(&path))
        }
    };
    Files {
        deploy: script(&places.deploy),
        revert: script(&places.revert),
        verify: script(&places.verify),
    }
}

fn entry(
    reading: &mut Reading<'_>,
    plan: &Arc<Source>,
    (steps, at): (&[Step<'_>], usize),
    files: &Files<'_>,
) {
    let Step { span, change, .. } = &steps[at];
    let place = || Place::new(plan, plan.first_line(*span), "");
    let declared = requirements(reading, plan, steps, at);
    for conflict in &change.conflicts {
        let message =
            format!("`{}` conflicts with `{conflict}`: migraph has no such rule", change.name);
        reading.notes.push(Diagnostic::warning(Code::NoPlace, message).at(place()));
    }
    if files.deploy.is_none() {
        let message = format!("there is no deploy script of `{}`", change.name);
        reading.problems.push(Diagnostic::error(Code::MissingUp, message).at(place()));
    }
    let both = [files.deploy, files.revert];
    let entry = Entry {
        label: Label::plain(change.name),
        files: both.into_iter().flatten().map(|file| file.name.clone()).collect(),
        title: names::title(change.name),
        description: change.note.and_then(|note| names::one_line(&note.replace("\\n", " "))),
        timestamp: change.planned.and_then(|planned| planned.parse().ok()),
        declared,
        outside_transaction: false,
        up: files.deploy.and_then(|file| reading.whole(file)),
        down: files.revert.and_then(|file| reading.whole(file)),
    };
    reading.entries.push(entry);
}

/// The earlier changes that one requires; what cannot be found is said.
fn requirements(
    reading: &mut Reading<'_>,
    plan: &Arc<Source>,
    steps: &[Step<'_>],
    at: usize,
) -> Vec<usize> {
    let Step { span, change, .. } = &steps[at];
    let mut found = Vec::new();
    let project = sqitch_plan::project(plan.text());
    for required in &change.requires {
        let own = required.split_once(':').filter(|(other, _)| project == Some(*other));
        let here = own.map_or(*required, |(_, name)| name);
        if let Some(index) = resolve(&steps[..at], here) {
            found.push(index);
            continue;
        }
        let why = match here.contains(':') {
            true => "is in another project",
            false => "is no earlier change of the plan",
        };
        let message = format!("`{}` requires `{required}`, which {why}", change.name);
        let place = Place::new(plan, plan.first_line(*span), "");
        reading.problems.push(Diagnostic::error(Code::UnknownDependency, message).at(place));
    }
    found
}

/// The change that `name`, `name@tag` or `@tag` means. `@ROOT` is the first of the plan,
/// and `@HEAD` was the last one when it was written down: the one before.
fn resolve(before: &[Step<'_>], required: &str) -> Option<usize> {
    let (name, tag) = match required.split_once('@') {
        Some((name, tag)) => (name, Some(tag)),
        None => (required, None),
    };
    let end = match tag {
        None | Some("HEAD") => before.len(),
        Some("ROOT") => before.len().min(1),
        Some(tag) => before.iter().position(|step| step.tags.contains(&tag))? + 1,
    };
    match name {
        "" => end.checked_sub(1),
        name => before[..end].iter().rposition(|step| step.change.name == name),
    }
}

/// Every file that no change has.
fn rest(reading: &mut Reading<'_>, places: &Places, used: &BTreeSet<&File>) {
    let tree = reading.tree;
    for file in &tree.files {
        let is_in = |place: &str| Path::new(&file.name).starts_with(place);
        let reason = match () {
            () if is_in(&places.verify) => {
                "it checks what was deployed; migraph has no such scripts"
            }
            () if used.contains(file) => continue,
            () if file.name == places.plan => "read for the order and the dependencies",
            () if is_in(&places.deploy) || is_in(&places.revert) => "no change of the plan has it",
            () if file.name == "sqitch.conf" => "read for where the plan and the scripts are",
            () => "no script of sqitch's",
        };
        reading.unused(file, reason);
    }
}
