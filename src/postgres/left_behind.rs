//! The session of a script, remembered with each of its steps.
//!
//! To whoever wrote it, a script is one session. A step's row has what the session was
//! like behind it, and before it while it is not known to be finished; so a script that
//! is resumed in another session gets the same one back, however it has come about. Where
//! something was left that goes with its session, such as a temporary table, the script
//! is not resumed without being asked.

use std::collections::BTreeSet;

use postgres_protocol::escape::escape_literal;
use tokio_postgres::{Error, SimpleQueryMessage};

use super::by_step::ScriptRun;
use super::failure;
use super::heal::Before;
use super::message::Timeouts;
use super::reach::first_row;
use crate::engine::{Failure, FailureKind, Job, Note, Progress};
use crate::model::Step;
use crate::syntax::custom_settings;

/// The settings that change what a statement means or makes, and that may be others in a
/// new session though nobody has set them in the old one: a default may have changed.
const SETTINGS: [&str; 30] = [
    "array_nulls",
    "backslash_quote",
    "bytea_output",
    "check_function_bodies",
    "createrole_self_grant",
    "datestyle",
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "default_toast_compression",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "event_triggers",
    "extra_float_digits",
    "intervalstyle",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "password_encryption",
    "quote_all_identifiers",
    "row_security",
    "search_path",
    "session_replication_role",
    "standard_conforming_strings",
    "temp_tablespaces",
    "timezone",
    "transform_null_equals",
    "xmlbinary",
    "xmloption",
];

/// Settings of the run, not of the script.
const OURS: [&str; 5] = [
    "application_name",
    "client_connection_check_interval",
    "client_encoding",
    "idle_session_timeout",
    "synchronous_commit",
];

/// What cannot be brought back, as a query of texts. The key of WORK is ours.
fn left(work_key: i64) -> String {
    let temporary = |kind: &str, relkinds: &str| {
        format!(
            "SELECT pg_catalog.concat('the temporary {kind} ', pg_catalog.quote_ident(relname)) FROM pg_catalog.pg_class \
                WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
                AND relkind OPERATOR(pg_catalog.=) ANY ('{{{relkinds}}}'::pg_catalog.\"char\"[])"
        )
    };
    let others = format!(
        "SELECT pg_catalog.concat('the temporary function ', pg_catalog.quote_ident(proname)) FROM pg_catalog.pg_proc \
            WHERE pronamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
         UNION ALL SELECT pg_catalog.concat('the prepared statement ', pg_catalog.quote_ident(name)) \
            FROM pg_catalog.pg_prepared_statements WHERE from_sql \
         UNION ALL SELECT pg_catalog.concat('the cursor ', pg_catalog.quote_ident(name)) \
            FROM pg_catalog.pg_cursors WHERE is_holdable \
         UNION ALL SELECT DISTINCT 'an advisory lock' FROM pg_catalog.pg_locks \
            WHERE locktype OPERATOR(pg_catalog.=) 'advisory' \
            AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() \
            AND ((classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) objid::pg_catalog.int8) \
                OPERATOR(pg_catalog.<>) {work_key}"
    );
    let tables = temporary("table", "r,p,f");
    let views = temporary("view", "v");
    let sequences = temporary("sequence", "S");
    [tables, views, sequences, others].join(" UNION ALL ")
}

/// The session of `job` as an SQL expression of type jsonb. The timeouts that we have
/// set ourselves are left out: another run may have others.
pub(super) fn captured(job: Job<'_>, work_key: i64, own: Timeouts) -> String {
    let names: BTreeSet<String> =
        SETTINGS.iter().map(ToString::to_string).chain(custom_settings(job.migration)).collect();
    let names = escape_literal(&format!("{{{}}}", Vec::from_iter(names).join(",")));
    let header = &job.migration.header;
    let ours = [
        ("lock_timeout", header.lock_timeout.or(own.lock)),
        ("statement_timeout", header.statement_timeout.or(own.statement)),
    ];
    let not_ours = ours.map(|(name, time)| {
        let time = time.unwrap_or_default().as_millis();
        format!("AND NOT (name OPERATOR(pg_catalog.=) '{name}' AND setting OPERATOR(pg_catalog.=) '{time}')")
    });
    format!(
        "pg_catalog.jsonb_build_object('settings',\
         (SELECT pg_catalog.jsonb_object_agg(n, pg_catalog.current_setting(n, true)) FROM \
            (SELECT n FROM pg_catalog.unnest({names}::pg_catalog.text[]) n \
             UNION SELECT name FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session' \
                AND name OPERATOR(pg_catalog.<>) ALL ('{{{}}}'::pg_catalog.text[]) {}) a(n)),\
         'role',pg_catalog.current_setting('role'),\
         'user',(SELECT session_user FROM pg_catalog.pg_stat_activity WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() \
            AND usename OPERATOR(pg_catalog.<>) session_user),\
         'left',(SELECT COALESCE(pg_catalog.jsonb_agg(it), '[]') FROM ({}) a(it)))",
        OURS.join(","),
        not_ours.join(" "),
        left(work_key),
    )
}

/// The session that a script is to go on in.
#[derive(Clone, Debug)]
pub(super) struct LeftBehind {
    /// How many of the script's statements have made it so.
    pub(super) statements: usize,
    /// Behind the statement of this number, those that only change the session are to be
    /// sent again.
    pub(super) from: usize,
    /// The step whose row has it.
    number: usize,
    /// As [`captured`], or less.
    json: String,
    /// What there was before the step was begun.
    pub(super) before: Before,
}

impl ScriptRun<'_, '_> {
    /// The session in which a script that has come so far is to go on; `None` for one that
    /// has not begun. It is an error when that session cannot be had again.
    pub(super) async fn left_behind(
        &self,
        progress: Progress,
    ) -> Result<Option<LeftBehind>, Box<Failure>> {
        let script = &self.job.migration.up;
        let done = script.recorded_steps().filter(|it| it.statements().end <= progress.completed);
        let Some(number) = progress.begun.or(done.last().map(Step::number)) else {
            return Ok(None);
        };
        let sql = format!(
            "SELECT session::pg_catalog.text, COALESCE(session OPERATOR(pg_catalog.->) 'left', '[]')::pg_catalog.text, found::pg_catalog.text, session OPERATOR(pg_catalog.->>) 'from'
                FROM {} WHERE migration_id = {} AND statement = {number} AND session IS NOT NULL",
            self.statements(),
            self.id(),
        );
        let row = first_row(self.run.lock.client(), &sql).await;
        let row = row.map_err(|error| failure::server(FailureKind::Halted, &error))?;
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let (Some(json), Some(gone), Some(found)) = (row.next(), row.next(), row.next()) else {
            return Err(Box::new(session_gone(number, None)));
        };
        let gone: Vec<String> = serde_json::from_str(&gone).unwrap_or_default();
        let is_needed = script.recorded_steps().any(|step| step.number() > number);
        if is_needed && !gone.is_empty() {
            return Err(Box::new(session_gone(number, Some(gone))));
        }
        let statements = match progress.begun {
            Some(begun) => begun - 1,
            None => progress.completed,
        };
        let from = row.next().and_then(|from| from.parse().ok()).unwrap_or(statements);
        Ok(Some(LeftBehind { statements, from, number, json, before: Before::of_json(&found) }))
    }

    /// Makes this session that one.
    pub(super) async fn bring_back(&self, left: &LeftBehind) -> Result<(), Box<Failure>> {
        let number = left.number;
        let names = self.set(&left.json).await.map_err(|error| {
            let mut failure = failure::server(FailureKind::Halted, &error);
            let message = &failure.message;
            failure.message =
                format!("could not bring back the session of statement {number}: {message}");
            failure.progress = Some(self.job.progress);
            Box::new(failure.hint("connect as a user who may set this, as the first run's did"))
        })?;
        if !names.is_empty() {
            let names = names.join(", ");
            (self.tell)(Note::Healed(&format!(
                "set as in the session of statement {number}: {names}"
            )));
        }
        Ok(())
    }

    /// Makes the session as `json` says, and tells the settings that were not so.
    async fn set(&self, json: &str) -> Result<Vec<String>, Error> {
        let json = format!("{}::pg_catalog.jsonb", escape_literal(json));
        let sql = format!(
            "SELECT key, pg_catalog.set_config(key, value, false) \
                FROM pg_catalog.jsonb_each_text(COALESCE({json} OPERATOR(pg_catalog.->) 'settings', '{{}}')), \
                    pg_catalog.current_setting(key, true) now \
                WHERE value OPERATOR(pg_catalog.<>) now OR now IS NULL AND pg_catalog.strpos(key, '.') OPERATOR(pg_catalog.>) 0;\
             SELECT 'session_authorization', pg_catalog.set_config('session_authorization', u, false) \
                FROM (SELECT COALESCE({json} OPERATOR(pg_catalog.->>) 'user', usename) FROM pg_catalog.pg_stat_activity \
                    WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()) a(u) \
                WHERE u OPERATOR(pg_catalog.<>) session_user;\
             SELECT 'role', pg_catalog.set_config('role', r, false) \
                FROM (SELECT {json} OPERATOR(pg_catalog.->>) 'role') a(r) \
                WHERE r OPERATOR(pg_catalog.<>) pg_catalog.current_setting('role')"
        );
        let answer = self.session.client().simple_query(&sql).await?;
        let name = |message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
            _ => None,
        };
        Ok(answer.into_iter().filter_map(name).collect())
    }

    /// What the session is like, as text; looked at only when it may have changed.
    pub(super) async fn seen(&self) -> Result<String, Box<Failure>> {
        if let Some(seen) = self.seen.take() {
            self.seen.replace(Some(seen.clone()));
            return Ok(seen);
        }
        let sql = format!("SELECT ({})::pg_catalog.text", self.captured);
        let row = first_row(self.session.client(), &sql).await;
        let row = row.map_err(|error| failure::lost(FailureKind::Halted, Some(&error)))?;
        let seen = row.into_iter().next().flatten().unwrap_or_default();
        self.seen.replace(Some(seen.clone()));
        Ok(seen)
    }
}

/// What the step `number` left went with its session; `None` when nobody knows what
/// it left.
fn session_gone(number: usize, gone: Option<Vec<String>>) -> Failure {
    let what = gone.map_or_else(|| "whatever it left there".to_owned(), |gone| gone.join(", "));
    let message = format!("statement {number} ran in a session that is gone, and with it {what}");
    Failure::new(FailureKind::Interrupted, message)
        .hint("the next `migraph up` says what to choose from")
}
