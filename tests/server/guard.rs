//! The net behind the parser: a script that ends its transaction, or hides that it
//! does, is never recorded as applied.

use std::sync::Arc;

use migraph::engine::{Engine, FailureKind, Job, Progress, Worker};
use migraph::model::{
    Block, Checksum, Execution, Header, Migration, Script, Source, Span, Statement, StatementKind,
    Step,
};
use migraph::postgres::{Ledger, Postgres, Reached, RunLock, Target, Timeouts};

use super::harness::{Database, Project, block_on, connect, database};

/// A migration as the parser would never make it: its SQL taken for one statement.
fn unparsed(sql: &str, in_steps: bool) -> Migration {
    let source = Arc::new(Source::new("0001_a.sql", sql));
    let span = Span::new(0, sql.len());
    let block = Block { modes: String::new(), statements: 0..1 };
    let execution = match in_steps {
        true => Execution::Steps(vec![Step::Segment(block)]),
        false => Execution::Transaction { modes: String::new() },
    };
    let up = Script {
        span,
        checksum: Checksum::new([0; 32]),
        execution,
        statements: vec![Statement { span, kind: StatementKind::Plain }],
        left_out: Vec::new(),
    };
    let id = "0001_a".parse().unwrap();
    Migration { id, source, header: Header::default(), up, down: None }
}

/// Sends `migration` as `up` would, when somebody else has run `before`; says the
/// failure's kind and message.
fn apply(database: &Database, migration: &Migration, before: &str) -> (FailureKind, String) {
    let config: tokio_postgres::Config = database.url().parse().unwrap();
    block_on(async {
        let Reached { client, target, .. } = Target::new(&config).reach(&mut |_| {}).await.unwrap();
        let patience = std::time::Duration::from_secs(5);
        let lock = RunLock::acquire(client, "migraph", patience, &mut |_| {}).await.unwrap();
        let ledger = Ledger::in_schema("migraph");
        ledger.create(lock.client()).await.unwrap();
        let batch = "00000000-0000-0000-0000-000000000001";
        let engine =
            Postgres::new(&target, &lock, (&ledger, batch), (1, Timeouts::default())).unwrap();
        let mut worker = engine.worker().await.unwrap();
        worker.prepare().await.unwrap();
        let somebody = connect(&database.url()).await;
        somebody.batch_execute(before).await.unwrap();
        let job = Job { migration, layer: 0, progress: Progress::default() };
        let failure = worker.apply(job, &|_| {}).await.expect_err("the guard holds");
        assert!(!worker.is_usable(), "a session of unknown state is never used again");
        (failure.kind, failure.message.clone())
    })
}

#[test]
fn a_script_that_ends_its_transaction_is_not_recorded() {
    let ends = [
        "CREATE TABLE a (); COMMIT; CREATE TABLE b ();",
        "CREATE TABLE a (); COMMIT; BEGIN; CREATE TABLE b ();",
        "CREATE TABLE a (); COMMIT AND CHAIN; CREATE TABLE b ();",
        "CREATE TABLE b (); ROLLBACK; CREATE TABLE b ();",
        "CREATE TABLE b (); ROLLBACK AND CHAIN;",
        "CREATE TABLE b (); RESET ALL;",
    ];
    for sql in ends {
        for in_steps in [false, true] {
            let database = database();
            let (kind, message) = apply(&database, &unparsed(sql, in_steps), "");
            assert_eq!(kind, FailureKind::Unknown, "{sql}: {message}");
            assert!(
                message.contains("not in the transaction that migraph began"),
                "{sql}: {message}"
            );
            let recorded = "SELECT (SELECT count(*) FROM migraph.__migrations__), (SELECT count(*) FROM migraph.__migration_statements__)";
            assert_eq!(database.sql(recorded), "0|0", "{sql}");
            assert_eq!(database.sql("SELECT to_regclass('b') IS NULL"), "t", "{sql}");
        }
    }
}

/// The keys are those that every version of migraph has.
#[test]
fn nothing_runs_behind_the_fence() {
    let taken_over = "SELECT pg_advisory_lock(-760640730241581775)";
    let coordinator_gone = "DO $$ BEGIN
        PERFORM pg_terminate_backend(pid) FROM pg_locks WHERE mode = 'ExclusiveLock' AND locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
        WHILE EXISTS (SELECT FROM pg_locks WHERE mode = 'ExclusiveLock' AND locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
    END $$";
    let cases = [
        (taken_over, "another run is taking over: it is waiting for this one to end"),
        (coordinator_gone, "this run has lost its lock: its coordinator's session is gone"),
    ];
    for (before, expected) in cases {
        for in_steps in [false, true] {
            let database = database();
            let migration = unparsed("CREATE TABLE a ();", in_steps);
            let found = apply(&database, &migration, before);
            assert_eq!(found, (FailureKind::NotStarted, expected.to_owned()), "{in_steps}");
            assert_eq!(database.sql("SELECT to_regclass('a') IS NULL"), "t");
        }
    }
}

/// What no parser can see, because it is in the text of a string.
#[test]
fn a_reset_inside_a_function_rolls_everything_back() {
    let sql =
        "CREATE TABLE b ();\nDO $$ BEGIN EXECUTE 'RES' || 'ET ALL'; END $$;\nCREATE TABLE c ();";
    let project = Project::new(&[("0001_a", "", sql)]);
    project.run(&["up"]).exits(1).says(&["reset the session", "perhaps inside a function"]);
    assert_eq!(project.ledger(), "");
    assert_eq!(project.database.sql("SELECT to_regclass('b') IS NULL"), "t");
    let outcome = "SELECT outcome FROM migraph.__migration_attempts__";
    assert_eq!(project.database.sql(outcome), "interrupted");
}
