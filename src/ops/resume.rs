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
    /// True when the file has something else at its place; false when nobody
    /// knows whether it is done, and looking at the database does not tell.
    pub changed: bool,
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
        let in_the_way = |changed| Interrupted { node, started: started.clone(), changed };
        let Some(sql) = unchanged(migration, started) else { return Err(in_the_way(true)) };
        if started.finished {
            let statements = migration.up.step(started.statement).map(Step::statements);
            progress.completed = statements.map_or(progress.completed, |it| it.end);
        } else if recovery_of(sql) == Recovery::Ask {
            return Err(in_the_way(false));
        } else {
            progress.begun = Some(started.statement);
        }
    }
    Ok(progress)
}

/// The step's SQL, when the file still has what was run.
fn unchanged<'a>(migration: &'a Migration, started: &Started) -> Option<&'a str> {
    let step = migration.up.step(started.statement)?;
    let sql = migration.source.slice(migration.up.span_of(step));
    (statement_checksum(sql).to_hex() == started.checksum).then_some(sql)
}
