//! What must be true of the database when everything is over.

use std::collections::BTreeMap;

use crate::fingerprint;
use crate::harness::Database;
use crate::workload::Workload;

/// Rows of pg_depend whose object is gone: what PostgreSQL leaves behind when an
/// object and something that needs it are dropped and made at once.
fn dangling(database: &Database) -> String {
    let catalogues = [
        "pg_type",
        "pg_proc",
        "pg_namespace",
        "pg_class",
        "pg_extension",
        "pg_collation",
        "pg_operator",
        "pg_constraint",
        "pg_opclass",
        "pg_language",
        "pg_am",
        "pg_ts_config",
        "pg_foreign_server",
    ];
    let one = |catalogue: &str| {
        format!(
            "SELECT '{catalogue}', classid::regclass::text, objid::text FROM pg_depend d
                WHERE refclassid = '{catalogue}'::regclass
                    AND NOT EXISTS (SELECT FROM {catalogue} x WHERE x.oid = d.refobjid)"
        )
    };
    database.sql(&catalogues.map(one).join(" UNION ALL "))
}

/// Each must answer nothing.
const NOTHING: &[(&str, &str)] = &[
    (
        "invalid indexes",
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)",
    ),
    (
        "what REINDEX CONCURRENTLY leaves",
        "SELECT relname FROM pg_class WHERE relname ~ '_cc(new|old)[0-9]*$'",
    ),
    (
        "counters that are not 1",
        "SELECT name, sum(n) FROM counters GROUP BY name HAVING sum(n) <> 1 OR count(*) <> 1",
    ),
    (
        "migrations without exactly one applied try",
        "SELECT id, count(a.*) FROM migraph.__migrations__ m LEFT JOIN migraph.__migration_attempts__ a
            ON a.migration_id = m.id AND a.batch_id = m.batch_id AND a.outcome = 'applied'
            GROUP BY id HAVING count(a.*) <> 1",
    ),
    (
        "tries that applied what is not applied by them",
        "SELECT migration_id FROM migraph.__migration_attempts__ WHERE outcome = 'applied'
            GROUP BY migration_id HAVING count(*) <> 1",
    ),
    (
        "steps that nobody knows about",
        "SELECT migration_id, statement FROM migraph.__migration_statements__ WHERE finished_at IS NULL",
    ),
    (
        "transactions of two runs at the same time",
        "SELECT a.migration_id, b.migration_id FROM migraph.__migration_attempts__ a
            JOIN migraph.__migration_attempts__ b ON a.batch_id < b.batch_id
                AND a.started_at < b.finished_at AND b.started_at < a.finished_at
            WHERE a.outcome = 'applied' AND b.outcome = 'applied'
                AND NOT EXISTS (SELECT FROM migraph.__migration_statements__ s
                    WHERE s.migration_id IN (a.migration_id, b.migration_id))",
    ),
    (
        "migrations that began before what they need was applied",
        "SELECT m.id, needed.id FROM migraph.__migrations__ m
            JOIN migraph.__migrations__ needed ON needed.id = ANY (m.dependencies)
            JOIN migraph.__migration_attempts__ a ON a.migration_id = m.id AND a.outcome = 'applied'
            WHERE a.started_at < needed.applied_at",
    ),
    ("prepared transactions", "SELECT gid FROM pg_prepared_xacts"),
    (
        "advisory locks",
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    ),
    (
        "sessions of runners",
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'runner-%'",
    ),
];

pub fn all(database: &Database, workload: &Workload, serial: &Database) {
    for (what, sql) in NOTHING {
        assert_eq!(database.sql(sql), "", "{what}");
    }
    assert_eq!(dangling(database), "", "dangling dependencies");
    pending_detaches(database);
    exclusions(database, workload);
    counters(database, workload);
    ledger(database, workload);
    same_as(database, serial);
}

/// 13 does not know the column.
fn pending_detaches(database: &Database) {
    let sql = "SELECT inhrelid::regclass FROM pg_inherits i WHERE to_jsonb(i) ->> 'inhdetachpending' = 'true'";
    assert_eq!(database.sql(sql), "", "pending detaches");
}

/// When each migration, or each step of one, ran.
const INTERVALS: &str = "
    SELECT migration_id, EXTRACT(epoch FROM started_at), EXTRACT(epoch FROM finished_at)
    FROM migraph.__migration_statements__
    UNION ALL
    SELECT migration_id, EXTRACT(epoch FROM started_at), EXTRACT(epoch FROM finished_at)
    FROM migraph.__migration_attempts__ a WHERE outcome = 'applied' AND NOT EXISTS
        (SELECT FROM migraph.__migration_statements__ s WHERE s.migration_id = a.migration_id)";

/// What excludes each other did not run at the same time.
fn exclusions(database: &Database, workload: &Workload) {
    let mut intervals: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for line in database.sql(INTERVALS).lines() {
        let [id, from, to] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
        let interval = (from.parse().unwrap(), to.parse().unwrap());
        intervals.entry(id.to_owned()).or_default().push(interval);
    }
    for (one, other) in workload.exclusive() {
        for (from, to) in &intervals[one] {
            let meets = intervals[other].iter().find(|(begin, end)| begin < to && from < end);
            assert!(meets.is_none(), "`{one}` ran beside `{other}`");
        }
    }
}

fn counters(database: &Database, workload: &Workload) {
    let found = database.sql("SELECT name FROM counters ORDER BY name COLLATE \"C\"");
    let expected: Vec<_> = workload.counters().into_iter().collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "counters");
    let shared = database.sql("SELECT n FROM shared");
    assert_eq!(shared, expected.len().to_string(), "the shared counter");
    for file in workload.files.iter().filter(|file| file.copied > 0) {
        let name = file.id.split('_').next().unwrap();
        let sql = format!("SELECT count(*), count(DISTINCT k) FROM copied WHERE name = '{name}'");
        assert_eq!(database.sql(&sql), format!("{0}|{0}", file.copied), "{}", file.id);
    }
}

fn ledger(database: &Database, workload: &Workload) {
    let found = database.sql("SELECT id FROM migraph.__migrations__ ORDER BY id COLLATE \"C\"");
    let ids: Vec<_> = workload.files.iter().map(|file| file.id.as_str()).collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), ids, "the ledger");
}

/// Schema and data.
fn same_as(database: &Database, serial: &Database) {
    let (found, expected) = (fingerprint::of(database), fingerprint::of(serial));
    let missing: Vec<_> = expected.lines().filter(|it| !found.contains(it)).take(5).collect();
    let added: Vec<_> = found.lines().filter(|it| !expected.contains(it)).take(5).collect();
    assert!(found == expected, "not the serial run's: missing {missing:#?}, added {added:#?}");
}
