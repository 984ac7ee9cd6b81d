//! Several things that are wrong at once, each with its place and a way out.

use crate::graph::MigrationGraph;
use crate::model::{Migration, Place, Step};
use crate::ops::{Interrupted, Obstacle};
use crate::plan::Comparison;
use crate::postgres::RefusedSetting;
use crate::report::diagnostics::Message;
use crate::report::findings::Finding;

/// One of several things that are wrong, with its place.
pub(super) struct Problematic {
    pub(super) code: &'static str,
    pub(super) title: String,
    pub(super) place: Option<Place>,
    pub(super) help: Vec<String>,
}

impl Problematic {
    pub(super) fn render(&self) -> String {
        Message {
            id: Some(self.code),
            places: self.place.iter().collect(),
            help: self.help.clone(),
            ..Message::error(&self.title)
        }
        .render()
    }

    pub(super) fn finding(&self) -> Finding {
        Finding {
            place: self.place.clone(),
            ..Finding::of_command(self.code, self.title.clone(), self.help.clone())
        }
    }
}

/// A setting that a fast run cannot have.
pub(super) fn refused_setting(refused: &RefusedSetting) -> Problematic {
    Problematic {
        code: "refused-setting",
        title: refused.to_string(),
        place: None,
        help: vec!["remove it from `[tuning]` in migraph.toml, or run without `--fast`".to_owned()],
    }
}

/// As much of a checksum as people are shown.
fn short(checksum: &str) -> String {
    checksum.chars().take(16).collect()
}

/// What does not fit between the ledger and the files, each with a way out.
pub(super) fn disagreements(graph: &MigrationGraph, comparison: &Comparison) -> Vec<Problematic> {
    let changed = comparison.changed.iter().map(|node| {
        let migration = graph.migration(*node);
        let recorded =
            comparison.applied.get(node).map(|it| short(&it.checksum)).unwrap_or_default();
        let now = migration.up.checksum;
        Problematic {
            code: "changed",
            title: format!(
                "`{}` was changed after it was applied: checksum {recorded} then, {now} now",
                migration.id
            ),
            place: Some(Place::file(&migration.source)),
            help: vec![
                "restore its up script as it was, and write the change as a new migration"
                    .to_owned(),
                "layout, comments and the header may change freely".to_owned(),
            ],
        }
    });
    let applied =
        comparison.unknown.iter().map(|it| (&it.id, format!("applied at {}", it.applied_at)));
    let begun = comparison.unknown_unfinished.iter().map(|id| (id, "begun".to_owned()));
    let unknown = applied.chain(begun).map(|(id, when)| Problematic {
        code: "unknown",
        title: format!("the ledger holds `{id}`, {when}, which no file has"),
        place: None,
        help: vec![
            "restore its file; or is `--dir` another branch's or another project's?".to_owned(),
        ],
    });
    changed.chain(unknown).collect()
}

/// A migration that cannot be resumed, with the three forms of `repair`.
pub(super) fn interrupted(graph: &MigrationGraph, one: &Interrupted) -> Problematic {
    let migration = graph.migration(one.node);
    let (id, number) = (&migration.id, one.started.statement);
    let statement = migration.up.statements.get(number.saturating_sub(1));
    let place = match statement {
        Some(it) => Place::new(&migration.source, it.span, format!("statement {number}")),
        None => Place::file(&migration.source),
    };
    let several = migration.up.step(number).is_some_and(|step| step.statements().len() > 1);
    let what = if several { "the transaction that begins with statement" } else { "statement" };
    let (title, first) = match (&one.obstacle, one.started.finished) {
        (Obstacle::Changed, true) => (
            format!(
                "{what} {number} of `{id}` was run by an earlier run, and the file now holds another"
            ),
            "restore the statements that have run, and change or add only what comes behind them; or look at the database and choose:",
        ),
        (Obstacle::Changed, false) => (
            format!(
                "an earlier run began {what} {number} of `{id}` and did not see its end, and the file now holds another"
            ),
            "restore the statement, so that migraph can look for it; or look at the database yourself and choose:",
        ),
        (Obstacle::Unseen, _) => (
            format!(
                "statement {number} of `{id}` was begun at {} and nobody knows whether it is done",
                one.started.started_at
            ),
            "look at the database and choose:",
        ),
        (Obstacle::SessionGone(gone), _) => (
            format!(
                "{what} {number} of `{id}` is done, but the session in which it ran is gone, and with it {}",
                if gone.is_empty() { "whatever it left there".to_owned() } else { gone.join(", ") }
            ),
            "the statements behind it would run without that; look at the database and choose:",
        ),
    };
    let help = format!("{first}\n{}\nthen run `migraph up` again", choices(migration, one));
    Problematic { code: "interrupted", title, place: Some(place), help: vec![help] }
}

/// The three forms of `repair`, for a migration that is in doubt there.
fn choices(migration: &Migration, one: &Interrupted) -> String {
    let (id, number) = (&migration.id, one.started.statement);
    let behind = migration.up.recorded_steps().map(Step::number).find(|at| *at > number);
    let (retry, resume) = match one.obstacle {
        Obstacle::SessionGone(_) => (
            "if nothing that is still to be run needs it",
            Some((
                format!("--resume-at {number}"),
                "to run it and all behind it again, once you have undone what they did",
            )),
        ),
        Obstacle::Changed | Obstacle::Unseen => (
            "if it is not done, and nothing of it is left",
            behind.map(|at| (format!("--resume-at {at}"), "if it is done, and nothing behind it")),
        ),
    };
    let choices = [
        Some(("--retry".to_owned(), retry)),
        resume,
        Some(("--mark-applied".to_owned(), "if all of the migration is done")),
    ];
    let line = |(flag, when)| format!("  migraph repair {id} {flag:<15} {when}");
    choices.into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}
