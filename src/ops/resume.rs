//! How far an earlier run has come with a migration that runs step by step.

use crate::engine::Progress;
use crate::graph::{MigrationGraph, Node};
use crate::model::{Migration, Step};
use crate::parse::statement_checksum;
use crate::plan::{Started, Unfinished};
use crate::syntax::{Recovery, recovery_of};

/// An earlier run began this migration outside a transaction, and it cannot
/// simply be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Which.
    pub node: Node,
    /// The step that stands in the way. Its statement may be one that the file no
    /// longer has.
    pub started: Started,
    /// In what way.
    pub obstacle: Obstacle,
}

/// Why a script cannot go on behind a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The file has something else at its place.
    Changed,
    /// Nobody knows whether it is done, and looking at the database does not tell.
    Unseen,
    /// It is done, and these went with its session; none when nobody knows which.
    SessionGone(Vec<String>),
}

/// How far `node` has come, or what stands in the way.
pub(super) fn progress_of(
    graph: &MigrationGraph,
    node: Node,
    unfinished: &Unfinished,
) -> Result<Progress, Interrupted> {
    let migration = graph.migration(node);
    let mut progress = Progress::default();
    for started in &unfinished.statements {
        let in_the_way = |obstacle| Interrupted { node, started: started.clone(), obstacle };
        let Some(sql) = unchanged(migration, started) else {
            return Err(in_the_way(Obstacle::Changed));
        };
        if started.finished {
            let statements = migration.up.step(started.statement).map(Step::statements);
            progress.completed = statements.map_or(progress.completed, |it| it.end);
        } else if recovery_of(sql) == Recovery::Ask {
            return Err(in_the_way(Obstacle::Unseen));
        } else {
            progress.begun = Some(started.statement);
        }
    }
    match session_gone(migration, unfinished, progress) {
        Some((started, gone)) => {
            Err(Interrupted { node, started, obstacle: Obstacle::SessionGone(gone) })
        }
        None => Ok(progress),
    }
}

/// The step in whose session the script would go on, when that cannot be had again and
/// something behind it is still to be run.
fn session_gone(
    migration: &Migration,
    unfinished: &Unfinished,
    progress: Progress,
) -> Option<(Started, Vec<String>)> {
    let steps = &unfinished.statements;
    let started = match progress.begun {
        Some(begun) => steps.iter().find(|started| started.statement == begun),
        None => steps.iter().rev().find(|started| started.finished),
    }?;
    migration.up.recorded_steps().find(|step| step.number() > started.statement)?;
    match &started.left_behind {
        Some(left) if left.is_empty() => None,
        left => Some((started.clone(), left.clone().unwrap_or_default())),
    }
}

/// The step's SQL, when the file still has what was run.
fn unchanged<'a>(migration: &'a Migration, started: &Started) -> Option<&'a str> {
    let step = migration.up.step(started.statement)?;
    let sql = migration.source.slice(migration.up.span_of(step));
    (statement_checksum(sql).to_hex() == started.checksum).then_some(sql)
}
