//! What the ledger says, held against the files.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::graph::{MigrationGraph, Node};
use crate::model::{CHECKSUM_ALGORITHM, Script};

/// One applied migration, as the ledger has it. Its id may be one that no file
/// has, or that no file could have.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The id.
    pub id: String,
    /// All 64 hex digits of the up script's checksum.
    pub checksum: String,
    /// The algorithm of the checksum.
    pub checksum_algorithm: String,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// How long its script ran, in milliseconds; lock waits included.
    pub execution_time_ms: f64,
    /// The run that applied it.
    pub batch_id: String,
    /// Its layer in that run's plan, from 0.
    pub layer: usize,
}

/// One step of a migration that does not run in one transaction, which an earlier
/// run began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The migration.
    pub id: String,
    /// The number of the step's first statement in its script, from 1.
    pub statement: usize,
    /// All hex digits of the step's checksum.
    pub checksum: String,
    /// False when it is not known how it ended.
    pub finished: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// What it left in its session that went with it, such as a temporary table;
    /// `None` when nobody has looked.
    pub left_behind: Option<Vec<String>>,
}

/// A migration of which some statements have run, and it is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Its statements that have run or begun to run, in order.
    pub statements: Vec<Started>,
}

impl Unfinished {
    /// The statement of which nobody knows whether it did its work.
    pub fn interrupted(&self) -> Option<&Started> {
        self.statements.iter().find(|statement| !statement.finished)
    }

    /// How many statements of `script` its finished steps hold.
    pub fn statements_done(&self, script: &Script) -> usize {
        let finished = self.statements.iter().filter(|step| step.finished);
        let statements = |number| script.step(number).map_or(1, |step| step.statements().len());
        finished.map(|step| statements(step.statement)).sum()
    }
}

/// The ledger held against the files.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Files that are applied, changed ones included.
    pub applied: BTreeMap<Node, Applied>,
    /// Applied files whose up script is not the one that was applied.
    pub changed: BTreeSet<Node>,
    /// Applied migrations that no file has.
    pub unknown: Vec<Applied>,
    /// Files of which some statements have run.
    pub unfinished: BTreeMap<Node, Unfinished>,
    /// Such ids that no file has.
    pub unknown_unfinished: BTreeSet<String>,
}

impl Comparison {
    /// True when files and ledger tell the same story.
    pub fn agrees(&self) -> bool {
        self.changed.is_empty() && self.unknown.is_empty() && self.unknown_unfinished.is_empty()
    }

    /// The applied nodes.
    pub fn applied_nodes(&self) -> BTreeSet<Node> {
        self.applied.keys().copied().collect()
    }
}

/// Holds what the ledger says against the files.
pub fn compare(graph: &MigrationGraph, applied: Vec<Applied>, started: Vec<Started>) -> Comparison {
    let mut comparison = Comparison::default();
    let node_of = |id: &str| id.parse().ok().and_then(|id| graph.node(&id));
    for record in applied {
        let Some(node) = node_of(&record.id) else {
            comparison.unknown.push(record);
            continue;
        };
        let now = graph.migration(node).up.checksum.to_hex();
        if record.checksum != now || record.checksum_algorithm != CHECKSUM_ALGORITHM {
            comparison.changed.insert(node);
        }
        comparison.applied.insert(node, record);
    }
    for statement in started {
        match node_of(&statement.id) {
            Some(node) if comparison.applied.contains_key(&node) => {}
            Some(node) => {
                let empty = Unfinished { statements: Vec::new() };
                comparison.unfinished.entry(node).or_insert(empty).statements.push(statement);
            }
            None => {
                comparison.unknown_unfinished.insert(statement.id);
            }
        }
    }
    comparison
}
