//! The messages of a transaction.
//!
//! `BEGIN`, the fence, the SQL, the ledger's row, `COMMIT`, as one simple query:
//! one round trip, and no moment at which we could die with the SQL done and not
//! recorded. Only a COPY from the client cuts it in two.
//! `docs/design/running.md` tells what each part guards against.

use std::ops::Range;
use std::time::Duration;

use postgres_protocol::escape::escape_literal;

use super::ledger::Ledger;
use crate::engine::Job;
use crate::model::{Block, CHECKSUM_ALGORITHM, Span};

/// The column that marks a row of the answer as the record of a migration.
pub(super) const RECEIPT_COLUMN: &str = "migraph_applied_at";

/// How many statements record a migration; the first gives the receipt.
pub(super) const RECORD_STATEMENTS: usize = 2;

/// The column that marks a row of the answer as the record of a segment.
pub(super) const SEGMENT_COLUMN: &str = "migraph_segment";

/// Makes us ourselves for the rest of the transaction, whoever a script has
/// become.
pub(super) const AS_OURSELVES: &str =
    "SET LOCAL SESSION AUTHORIZATION DEFAULT;SET LOCAL ROLE NONE;";

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

/// What stands around the statements of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    opening: String,
    opening_statements: usize,
    closing: String,
    /// Without `COMMIT`.
    closing_statements: usize,
}

/// A message, and what of the script is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) sql: String,
    /// Characters before the script.
    pub(super) prefix_chars: usize,
    /// Statements of ours before the script.
    pub(super) prefix_statements: usize,
    /// Where its part of the script begins in the file.
    pub(super) start: usize,
    /// Characters of the script.
    pub(super) script_chars: usize,
    /// The indexes of the statements in it.
    pub(super) statements: Range<usize>,
    /// Statements of ours between the script and `COMMIT`; `None` when it leaves
    /// the transaction open.
    pub(super) before_commit: Option<usize>,
}

/// What the server is at when it has completed so many statements of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// What we send before the script.
    Opening,
    /// A statement of the script: its index.
    Statement(usize),
    /// What records it, or what comes behind the end of the transaction.
    Record,
    /// `COMMIT`, which runs what the script has deferred.
    Commit,
}

/// What a segment must not have changed for its own record to hold the session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch<'a> {
    /// An SQL expression that tells what the session is like.
    pub(super) captured: &'a str,
    /// What it told before the segment.
    pub(super) seen: &'a str,
    /// A message that records it behind COMMIT, where that was not done before.
    pub(super) behind: &'a str,
}

impl Watch<'_> {
    /// A statement that looks at the end of the transaction, and keeps what it sees when
    /// that is the same. A difference may end with the transaction, as `SET LOCAL` does.
    fn keep(self) -> String {
        let (captured, seen) = (self.captured, escape_literal(self.seen));
        format!(
            "SELECT pg_catalog.set_config('migraph.session',CASE WHEN ({captured})::pg_catalog.text OPERATOR(pg_catalog.=) {seen} THEN {seen} ELSE '' END,true);"
        )
    }
}

impl Message {
    /// What comes when `completed` of its statements are complete.
    pub(super) fn place(&self, completed: usize) -> Place {
        let Some(done) = completed.checked_sub(self.prefix_statements) else {
            return Place::Opening;
        };
        match done.checked_sub(self.statements.len()) {
            None => Place::Statement(self.statements.start + done),
            Some(done) if Some(done) == self.before_commit => Place::Commit,
            Some(_) => Place::Record,
        }
    }
}

impl Frame {
    /// The message that sends `text`, which begins at `span`: the first of its
    /// transaction brings the opening, the last the closing.
    pub(super) fn message(
        &self,
        text: &str,
        (span, statements): (Span, Range<usize>),
        (first, last): (bool, bool),
    ) -> Message {
        let opening = if first { self.opening.as_str() } else { "" };
        let closing = if last { self.closing.as_str() } else { "" };
        Message {
            sql: [opening, text, closing].concat(),
            prefix_chars: opening.chars().count(),
            prefix_statements: if first { self.opening_statements } else { 0 },
            start: span.start,
            script_chars: text.chars().count(),
            statements,
            before_commit: last.then_some(self.closing_statements),
        }
    }
}

impl RunContext {
    /// What applies `job` as one transaction with `modes`, and records it.
    pub(super) fn frame(&self, job: Job<'_>, modes: &str) -> Frame {
        let timeouts = timeouts("SET LOCAL", job, self.timeouts);
        let nonce = nonce();
        let id = guarded_id(job, &nonce);
        let record = self.record(job, &id, ELAPSED, "pg_catalog.transaction_timestamp()");
        let fence = self.fence(&nonce);
        let begin = [&mark(job), "BEGIN ", modes, ";", &timeouts.concat()].concat();
        Frame {
            opening: [&begin, "SELECT ", &fence, ";\n"].concat(),
            opening_statements: 2 + timeouts.len(),
            // The line break ends a comment that the script may end in.
            closing: [BEHIND_SCRIPT, &record, ";COMMIT"].concat(),
            closing_statements: 2 + RECORD_STATEMENTS,
        }
    }

    /// What applies `block` as one transaction and records that it is done, with
    /// its checksum; the last one also records the migration. The record holds the
    /// session, where it is certain before COMMIT that it is the same as before.
    pub(super) fn segment_frame(
        &self,
        job: Job<'_>,
        (block, checksum): (&Block, &str),
        watch: Option<Watch<'_>>,
        last: bool,
    ) -> Frame {
        let nonce = nonce();
        let watched = watch.is_some();
        let behind = watch.map_or(String::new(), |watch| [";", watch.behind].concat());
        let watch = watch.map(Watch::keep).unwrap_or_default();
        let id = guarded_id(job, &nonce);
        let progress = format!(
            "INSERT INTO {} (migration_id,statement,checksum,batch_id,started_at,finished_at,session) VALUES ({id},{},'{checksum}',{},pg_catalog.transaction_timestamp(),pg_catalog.clock_timestamp(),{}) RETURNING statement AS {SEGMENT_COLUMN},session IS NOT NULL;",
            self.ledger.statements(),
            block.statements.start + 1,
            escape_literal(&self.batch),
            if watched { WATCHED } else { "NULL" },
        );
        let record = if last { self.record_of_steps(job) + ";" } else { String::new() };
        Frame {
            opening: format!("{}BEGIN {};SELECT {};\n", mark(job), block.modes, self.fence(&nonce)),
            opening_statements: 2,
            closing: format!("\n;{watch}{AS_OURSELVES}{progress}{record}COMMIT{behind}"),
            closing_statements: 3 + usize::from(watched) + if last { RECORD_STATEMENTS } else { 0 },
        }
    }

    /// The statement that records a migration whose steps are all recorded.
    pub(super) fn record_of_steps(&self, job: Job<'_>) -> String {
        let id = escape_literal(job.migration.id.as_str());
        let statements = self.ledger.statements();
        let mine = format!("FROM {statements} WHERE migration_id OPERATOR(pg_catalog.=) {id}");
        let elapsed = format!(
            "COALESCE((SELECT pg_catalog.sum(EXTRACT(epoch FROM finished_at OPERATOR(pg_catalog.-) started_at)) OPERATOR(pg_catalog.*) 1000 {mine}),0)"
        );
        let began = format!(
            "COALESCE((SELECT pg_catalog.min(started_at) {mine}),pg_catalog.clock_timestamp())"
        );
        self.record(job, &id, &elapsed, &began)
    }

    /// An expression that fails unless this run is alive and alone, and marks
    /// the transaction with `nonce`.
    ///
    /// WORK must be granted: no new run is clearing up behind us. RUNKEY must be
    /// refused: our own coordinator still holds it.
    pub(super) fn fence(&self, nonce: &str) -> String {
        let Self { work_key, run_key, .. } = self;
        format!(
            "CASE WHEN pg_catalog.pg_try_advisory_xact_lock_shared({work_key}) THEN \
             CASE WHEN pg_catalog.pg_try_advisory_xact_lock_shared({run_key}) THEN {} \
             ELSE pg_catalog.set_config('migraph.tx','{nonce}',true) END ELSE {} END",
            fails("fence:run"),
            fails("fence:work"),
        )
    }

    /// The statements that record `job` as applied, in both tables, and fail when
    /// the row does not get there: a trigger could swallow it. `id`,
    /// `elapsed` (milliseconds) and `started` are SQL expressions.
    ///
    /// A row that gets there leaves a mark, without which the second statement
    /// fails. As one statement, in which that one looked for the row, it took the
    /// server a fifth more for a tiny migration.
    pub(super) fn record(&self, job: Job<'_>, id: &str, elapsed: &str, started: &str) -> String {
        let migration = job.migration;
        let batch = escape_literal(&self.batch);
        let plain_id = escape_literal(migration.id.as_str());
        // An array's text; no id holds anything that would have to be escaped in it.
        let dependencies: Vec<_> =
            (migration.header.dependencies.iter()).map(|it| format!("\"{}\"", it.id)).collect();
        let down = migration.down.as_ref();
        let down_script = down.map(|down| escape_literal(&down.sql(&migration.source)));
        let down_checksum = down.map(|down| escape_literal(&down.checksum.to_hex()));
        let null = || "NULL".to_owned();
        format!(
            "INSERT INTO {migrations} (id,name,checksum,checksum_algorithm,down_script,down_checksum,dependencies,applied_at,execution_time_ms,batch_id,layer,tool_version) \
             VALUES ({id},{name},{checksum},'{CHECKSUM_ALGORITHM}',{down_script},{down_checksum},'{{{dependencies}}}',pg_catalog.clock_timestamp(),{elapsed},{batch},{layer},'{version}') \
             RETURNING EXTRACT(epoch FROM applied_at) AS {RECEIPT_COLUMN},execution_time_ms,\
             pg_catalog.set_config('migraph.tx','recorded',true);\
             INSERT INTO {attempts} (batch_id,migration_id,started_at,outcome,backend_pid,host) \
             VALUES ({batch},CASE WHEN {recorded} THEN {plain_id} ELSE {unrecorded} END,{started},'applied',pg_catalog.pg_backend_pid(),{host})",
            recorded = is_marked("recorded"),
            unrecorded = fails("unrecorded"),
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

/// What [`Watch::keep`] has kept.
const WATCHED: &str = "NULLIF(pg_catalog.current_setting('migraph.session'),'')::pg_catalog.jsonb";

/// Milliseconds since the transaction began; the ledger's column rounds them.
const ELAPSED: &str = "EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.transaction_timestamp()) OPERATOR(pg_catalog.*) 1000";

fn mark(job: Job<'_>) -> String {
    format!("{MARK}{}{MARK_END}", job.migration.id)
}

/// The statement `sql` with the mark behind it, where the server's error positions do
/// not have to know of it.
pub(super) fn marked_behind(job: Job<'_>, sql: &str) -> String {
    format!("{sql} {}", mark(job))
}

fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// An expression of type text that fails with a message that holds `migraph:` and
/// `what`, which [`super::failure::guard`] looks for: no setting can have that name.
/// It is cheap to parse, and no planner evaluates it beforehand, since settings change.
fn fails(what: &str) -> String {
    format!("pg_catalog.current_setting('migraph:{what}')")
}

/// An expression that is true when the transaction has the mark `value`.
fn is_marked(value: &str) -> String {
    format!("pg_catalog.current_setting('migraph.tx',true) OPERATOR(pg_catalog.=) '{value}'")
}

/// The id as an expression that fails unless the transaction that was marked with
/// `nonce` is still the one that runs.
fn guarded_id(job: Job<'_>, nonce: &str) -> String {
    format!(
        "CASE WHEN {} THEN {} ELSE {} END",
        is_marked(nonce),
        escape_literal(job.migration.id.as_str()),
        fails("ended"),
    )
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
