//! What an operator does about a statement that nobody else can decide: look at the
//! data, and say by `repair` what is true.

use crate::runner::Runner;
use crate::storm::Storm;

/// Statements that were begun, whose end nobody saw, and that nobody works on. As
/// long as there is one that cannot be looked for, no run begins anything.
const DOUBTFUL: &str = "
    SELECT migration_id, statement FROM migraph.__migration_statements__
    WHERE finished_at IS NULL AND NOT EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

/// Statements that are done, of which nobody knows what they left in their session.
const FORGOTTEN: &str = "
    SELECT migration_id, statement FROM migraph.__migration_statements__ s
    WHERE session IS NULL AND finished_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM migraph.__migrations__ WHERE id = s.migration_id)
        AND NOT EXISTS (SELECT FROM migraph.__migration_statements__
            WHERE migration_id = s.migration_id AND finished_at IS NULL)
        AND NOT EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

/// Resolves what the program has asked about.
pub fn resolve(storm: &mut Storm<'_>) {
    for row in storm.observer.query(FORGOTTEN) {
        let (id, statement): (String, i32) = (row.get(0), row.get(1));
        let file = storm.workload.file(&id).expect("the ledger holds our files");
        if file.witnesses.contains_key(&statement) {
            // Refused where nothing is in the way.
            repair(storm, &id, &["--retry".into()], &[0, 1, 4]);
        } else if file.only_settings == Some(statement) {
            repair(storm, &id, &["--resume-at".into(), statement.to_string()], &[0, 4]);
        }
    }
    for row in storm.observer.query(DOUBTFUL) {
        let (id, statement): (String, i32) = (row.get(0), row.get(1));
        let file = storm.workload.file(&id).expect("the ledger holds our files");
        // Everything else can be looked for: it waits for a run that may begin.
        let Some(witness) = file.witnesses.get(&statement) else { continue };
        let is_done = storm.observer.query(&format!("SELECT {witness}"))[0].get(0);
        let last = file.witnesses.keys().max() == Some(&statement);
        repair(storm, &id, &choice(is_done, last, statement), &[0, 4]);
    }
}

/// The doubtful statements stand at the end of their scripts, or one is alone.
fn choice(is_done: bool, last: bool, statement: i32) -> Vec<String> {
    match (is_done, last && statement > 1) {
        (false, _) => vec!["--retry".into()],
        (true, true) => vec!["--mark-applied".into()],
        (true, false) => vec!["--resume-at".into(), (statement + 1).to_string()],
    }
}

fn repair(storm: &mut Storm<'_>, id: &str, choice: &[String], allowed: &[i32]) {
    storm.started += 1;
    let name = format!("runner-{}", storm.started);
    let mut args = vec!["repair", id, "--format", "json", "--wait-lock", "1", "--reason", "looked"];
    args.extend(choice.iter().map(String::as_str));
    let mut runner = Runner::verb(name, &storm.place, &args);
    storm.journal.note(&format!("started {}", runner.words()));
    let ended = runner.wait();
    // A runner that stands still may hold the lock; whoever comes next asks again.
    assert!(ended.code.is_some_and(|code| allowed.contains(&code)), "{:?}", ended.report);
    if ended.code == Some(0) {
        storm.tally.add(format!("repair {}", choice[0]), 1);
    }
    storm.bury(ended);
}
