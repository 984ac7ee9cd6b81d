//! One message for one transactional migration.
//!
//! `BEGIN`, the fence, the script, the ledger's row, `COMMIT`, as one simple
//! query: one round trip, and no moment at which we could die with the script
//! done and not recorded. `docs/design/running.md` tells what each part guards
//! against.

use std::time::Duration;

use postgres_protocol::escape::escape_literal;

use super::ledger::Ledger;
use crate::engine::Job;
use crate::model::{CHECKSUM_ALGORITHM, Execution};

/// The column that marks the answer's last row as ours.
pub(super) const RECEIPT_COLUMN: &str = "migraph_applied_at_us";

/// Our statements between the script and `COMMIT`: two resets and the record.
pub(super) const STATEMENTS_BEFORE_COMMIT: usize = 3;

/// A comment at the beginning that names the migration: pg_stat_activity and the
/// server's log then tell what a backend does. It costs nothing, unlike a setting.
pub(super) const MARK: &str = "/* migraph ";
pub(super) const MARK_END: &str = " */";

/// What follows the script.
pub(super) const BEHIND_SCRIPT: &str = "\n;RESET SESSION AUTHORIZATION;RESET ROLE;";

/// What is the same for every migration of a run.
#[derive(Clone, Debug)]
pub(super) struct RunContext {
    pub(super) ledger: Ledger,
    /// The run's UUID.
    pub(super) batch: String,
    pub(super) work_key: i64,
    pub(super) run_key: i64,
    /// This machine's name, for the record.
    pub(super) host: String,
    /// For migrations whose header has none.
    pub(super) timeouts: Timeouts,
}

/// How long a migration may wait for a lock, and a statement may run, where its
/// header says nothing. `None` leaves it to the server's own settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For each lock that a transactional migration waits for; never for a script
    /// that runs statement by statement, because a `CONCURRENTLY` that gives up
    /// leaves an INVALID index.
    pub lock: Option<Duration>,
    /// For each statement.
    pub statement: Option<Duration>,
}

/// A message, and where the script stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) sql: String,
    /// Characters before the script.
    pub(super) prefix_chars: usize,
    /// Characters of the script.
    pub(super) script_chars: usize,
    /// Statements of ours before the script.
    pub(super) prefix_statements: usize,
}

impl RunContext {
    /// The message that applies `job` and records it, or neither.
    pub(super) fn transactional(&self, job: Job<'_>) -> Message {
        let migration = job.migration;
        let modes = match &migration.up.execution {
            Execution::Transaction { modes, .. } => modes.as_str(),
            Execution::Statements => "",
        };
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let timeouts = timeouts("SET LOCAL", job, self.timeouts);
        let fence = self.fence(&nonce);
        let mark = format!("{MARK}{}{MARK_END}", migration.id);
        let prefix = format!("{mark}BEGIN {modes};{}SELECT {fence};\n", timeouts.concat());
        let script = migration.up.sql(&migration.source);
        let guarded_id = format!(
            "CASE WHEN pg_catalog.current_setting('migraph.tx',true) OPERATOR(pg_catalog.=) '{nonce}' THEN {} ELSE ('migraph:ended '||pg_catalog.pg_backend_pid())::pg_catalog.int4::pg_catalog.text END",
            escape_literal(migration.id.as_str()),
        );
        let elapsed = "pg_catalog.round((EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.transaction_timestamp()) OPERATOR(pg_catalog.*) 1000)::pg_catalog.numeric,3)";
        let record = self.record(job, &guarded_id, elapsed, "pg_catalog.transaction_timestamp()");
        // The line break ends a comment that the script may end in.
        let sql = format!("{prefix}{script}{BEHIND_SCRIPT}{record};COMMIT");
        Message {
            prefix_chars: prefix.chars().count(),
            script_chars: script.chars().count(),
            prefix_statements: 2 + timeouts.len(),
            sql,
        }
    }

    /// An expression that fails unless this run is alive and alone, and marks
    /// the transaction with `nonce`.
    ///
    /// WORK must be granted: no new run is clearing up behind us. RUNKEY must be
    /// refused: our own coordinator still holds it. Each failure is an integer
    /// that cannot be read (22P02), which no planner can evaluate beforehand,
    /// because it holds the backend's pid.
    pub(super) fn fence(&self, nonce: &str) -> String {
        let Self { work_key, run_key, .. } = self;
        format!(
            "CASE WHEN pg_catalog.pg_try_advisory_xact_lock_shared({work_key}) THEN \
             CASE WHEN pg_catalog.pg_try_advisory_xact_lock_shared({run_key}) THEN \
             ('migraph:fence:run '||pg_catalog.pg_backend_pid())::pg_catalog.int4::pg_catalog.text \
             ELSE pg_catalog.set_config('migraph.tx','{nonce}',true) END \
             ELSE ('migraph:fence:work '||pg_catalog.pg_backend_pid())::pg_catalog.int4::pg_catalog.text END"
        )
    }

    /// The statement that records `job` as applied, in both tables, and fails when
    /// the row does not get there: a trigger could swallow it. `id`,
    /// `elapsed` (milliseconds) and `started` are SQL expressions.
    pub(super) fn record(&self, job: Job<'_>, id: &str, elapsed: &str, started: &str) -> String {
        let migration = job.migration;
        let batch = escape_literal(&self.batch);
        let plain_id = escape_literal(migration.id.as_str());
        let dependencies: Vec<_> = (migration.header.dependencies.iter())
            .map(|dependency| escape_literal(dependency.id.as_str()))
            .collect();
        let down = migration.down.as_ref();
        let down_script = down.map(|down| escape_literal(&down.sql(&migration.source)));
        let down_checksum = down.map(|down| escape_literal(&down.checksum.to_hex()));
        let null = || "NULL".to_owned();
        format!(
            "WITH attempt AS (INSERT INTO {attempts} (batch_id,migration_id,started_at,outcome,backend_pid,host) \
             VALUES ({batch},{plain_id},{started},'applied',pg_catalog.pg_backend_pid(),{host})), \
             done AS (INSERT INTO {migrations} (id,name,checksum,checksum_algorithm,down_script,down_checksum,dependencies,applied_at,execution_time_ms,batch_id,layer,tool_version) \
             VALUES ({id},{name},{checksum},'{CHECKSUM_ALGORITHM}',{down_script},{down_checksum},ARRAY[{dependencies}]::pg_catalog.text[],pg_catalog.clock_timestamp(),{elapsed},{batch},{layer},'{version}') \
             RETURNING (EXTRACT(epoch FROM applied_at) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8 AS at, execution_time_ms AS ms) \
             SELECT CASE WHEN EXISTS (SELECT FROM done) THEN (SELECT at FROM done) \
             ELSE ('migraph:unrecorded '||pg_catalog.pg_backend_pid())::pg_catalog.int8 END AS {RECEIPT_COLUMN}, (SELECT ms FROM done) AS ms",
            attempts = self.ledger.table("__migration_attempts__"),
            migrations = self.ledger.table("__migrations__"),
            host = escape_literal(&self.host),
            name = escape_literal(migration.name()),
            checksum = escape_literal(&migration.up.checksum.to_hex()),
            down_script = down_script.unwrap_or_else(null),
            down_checksum = down_checksum.unwrap_or_else(null),
            dependencies = dependencies.join(","),
            layer = job.layer,
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

/// The timeouts of `job`, or else the run's, as statements that begin with `set`.
pub(super) fn timeouts(set: &str, job: Job<'_>, run: Timeouts) -> Vec<String> {
    let header = &job.migration.header;
    let statement = |name: &str, time: Option<Duration>| {
        time.map(|time| format!("{set} {name}={};", time.as_millis()))
    };
    let lock = statement("lock_timeout", header.lock_timeout.or(run.lock));
    let each = statement("statement_timeout", header.statement_timeout.or(run.statement));
    lock.into_iter().chain(each).collect()
}
