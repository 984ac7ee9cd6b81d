//! Whether what a runner says is true.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::Database;
use crate::runner::Ended;

/// How a runner ended, in a line.
pub fn summary(ended: &Ended) -> String {
    let Some(report) = &ended.report else { return "killed".to_owned() };
    let failures = ended.list("migrations").into_iter().filter(|it| it["failure"].is_object());
    let failures: Vec<_> = failures
        .map(|it| format!("{} {}", it["id"], it["failure"]["kind"]).replace('"', ""))
        .collect();
    let code = ended.code.unwrap_or_default();
    format!("exit {code} {} {:?} {failures:?}", report["outcome"], ended.errors())
}

/// A runner that nobody touched fails only as its migrations do, and any other
/// ends as it was told to.
pub fn exit_is_explained(ended: &Ended) {
    let Ended { name, touched, signals, .. } = ended;
    let Some(code) = ended.code else {
        // The first milliseconds of a process know no signal handlers.
        assert!(!signals.is_empty(), "{name} was ended by a signal of its own");
        return;
    };
    let explained = match code {
        0 => ended.report.as_ref().is_some_and(|it| it["ok"] == true),
        1 => *touched || fails_by_itself(ended),
        3 => *touched,
        4 => true,
        130 => signals.contains(&Signal::SIGINT),
        143 => signals.contains(&Signal::SIGTERM),
        _ => false,
    };
    assert!(explained, "{name} ended with {code}: {:?}", ended.report);
}

/// By a migration that the server refused for a reason that has nothing to do with
/// faults, or because of what an earlier run has left.
fn fails_by_itself(ended: &Ended) -> bool {
    // A mishap; a lock or a statement that took too long; a deadlock; races for the
    // catalogue.
    let usual = ["P0001", "55P03", "57014", "40P01", "XX000", "23505"];
    let migrations = ended.list("migrations");
    let mut states = migrations.iter().filter_map(|it| it["failure"]["sqlstate"].as_str());
    ended.errors().iter().all(|code| code == "interrupted")
        && states.all(|state| usual.contains(&state))
}

/// What the ledger must hold, for every report of a run that could write one.
pub fn agree_with_the_ledger(ended: &[Ended], database: &Database) {
    let attempts = counts(
        database,
        "SELECT batch_id || ' ' || migration_id, count(*) FROM migraph.__migration_attempts__
            WHERE outcome <> 'applied' GROUP BY 1",
    );
    let applied = counts(database, "SELECT batch_id || ' ' || id, 1 FROM migraph.__migrations__");
    for one in ended.iter().filter(|one| one.batch().is_some()) {
        for migration in one.list("migrations") {
            let key = format!("{} {}", one.batch().unwrap(), migration["id"].as_str().unwrap());
            applied_is_true(one, &migration, applied.contains_key(&key));
            failures_are_recorded(one, &migration, attempts.get(&key).copied().unwrap_or(0));
        }
    }
}

fn counts(database: &Database, sql: &str) -> BTreeMap<String, u64> {
    let rows = database.sql(sql);
    let row = |line: &str| {
        let (key, count) = line.split_once('|').unwrap();
        (key.to_owned(), count.parse().unwrap())
    };
    rows.lines().map(row).collect()
}

/// The commits of a fast run may be lost with the server, as long as it says so.
fn applied_is_true(ended: &Ended, migration: &Value, is_applied: bool) {
    let report = ended.report.as_ref().unwrap();
    let may_be_lost = ended.is_fast && report["unflushed"].is_string();
    let says_so = migration["outcome"] == "applied";
    let knows = migration["failure"]["kind"] != "unknown";
    assert!(
        says_so == is_applied || (says_so && may_be_lost) || (!says_so && !knows),
        "{}: the ledger says {is_applied} of {migration}",
        ended.name
    );
}

/// Each try that failed is a row, or the report says that there may be none: the
/// answer to writing it may be lost too.
fn failures_are_recorded(ended: &Ended, migration: &Value, rows: u64) {
    let retries = migration["retries"].as_u64().unwrap();
    let unrecorded = migration["unrecorded"].as_u64().unwrap_or(0);
    let failed = match migration["failure"]["kind"].as_str() {
        None | Some("not-started") => 0,
        Some(_) => 1,
    };
    let tries = retries + failed;
    assert!(
        rows <= tries && tries <= rows + unrecorded,
        "{}: {rows} failed tries in the ledger, and in the report {migration}",
        ended.name
    );
}
