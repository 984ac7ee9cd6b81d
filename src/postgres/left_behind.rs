//! What a step has left in its session, remembered with the step.
//!
//! To whoever wrote it, a script is one session. When it is resumed in another, the
//! statements that say that they change the session are sent again
//! ([`crate::model::StatementKind::Session`]). A `DO` block, a function or a procedure
//! may have changed it too. So behind each statement that may have
//! ([`crate::syntax::may_change_session`]), the session is looked at: settings are
//! brought back, and where something is left that goes with its session, such as a
//! temporary table, the script is not resumed without being asked.

use postgres_protocol::escape::escape_literal;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::by_step::ScriptRun;
use super::failure;
use super::ledger::Ledger;
use crate::engine::{Failure, FailureKind, Note};
use crate::syntax::last_change_of_session;

/// The settings that change what a statement means or makes. Those that only change
/// how fast it is or how long it may wait are the run's. A setting with a dot in its
/// name cannot be listed by the server.
const SETTINGS: [&str; 26] = [
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
    "default_transaction_isolation",
    "event_triggers",
    "extra_float_digits",
    "intervalstyle",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "quote_all_identifiers",
    "row_security",
    "search_path",
    "session_replication_role",
    "temp_tablespaces",
    "timezone",
    "transform_null_equals",
    "xmlbinary",
    "xmloption",
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
         UNION ALL SELECT pg_catalog.concat('its LISTEN on ', pg_catalog.quote_ident(c)) \
            FROM pg_catalog.pg_listening_channels() c \
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

/// The session as an SQL expression of type jsonb.
pub(super) fn captured(work_key: i64) -> String {
    format!(
        "pg_catalog.jsonb_build_object('settings',\
         (SELECT pg_catalog.jsonb_object_agg(n, pg_catalog.current_setting(n, true)) FROM pg_catalog.unnest('{{{}}}'::pg_catalog.text[]) n),\
         'role',pg_catalog.current_setting('role'),\
         'user',(SELECT session_user FROM pg_catalog.pg_stat_activity WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() \
            AND usename OPERATOR(pg_catalog.<>) session_user),\
         'left',(SELECT COALESCE(pg_catalog.jsonb_agg(it), '[]') FROM ({}) a(it)))",
        SETTINGS.join(","),
        left(work_key),
    )
}

/// The session as a step left it.
#[derive(Clone, Debug)]
pub(super) struct LeftBehind {
    /// As [`captured`], or less.
    json: String,
    /// What cannot be brought back.
    gone: Vec<String>,
}

impl ScriptRun<'_, '_> {
    /// What the last of the first `completed` statements that may have changed the
    /// session has left in it, with its number. It is an error when that cannot be
    /// brought back.
    pub(super) async fn left_behind(
        &self,
        completed: usize,
    ) -> Result<Option<(usize, LeftBehind)>, Box<Failure>> {
        let migration = self.job.migration;
        let Some(number) = last_change_of_session(migration, completed) else { return Ok(None) };
        let (ledger, client) = (&self.run.context.ledger, self.run.lock.client());
        let read = LeftBehind::read(ledger, client, (migration.id.as_str(), number)).await;
        let left = read.map_err(|error| failure::server(FailureKind::Halted, &error))?;
        match left {
            Some(left) if left.gone.is_empty() => Ok(Some((number, left))),
            left => Err(Box::new(session_gone(number, left.map(|left| left.gone)))),
        }
    }

    /// Makes this session like the one in which the step `number` has run.
    pub(super) async fn bring_back(
        &self,
        number: usize,
        left: &LeftBehind,
    ) -> Result<(), Box<Failure>> {
        let names = left.bring_back(self.session.client()).await.map_err(|error| {
            let mut failure = failure::server(FailureKind::Halted, &error);
            let message = &failure.message;
            failure.message =
                format!("could not bring back what statement {number} left set: {message}");
            failure.progress = Some(self.job.progress);
            Box::new(failure)
        })?;
        if !names.is_empty() {
            let names = names.join(", ");
            (self.tell)(Note::Healed(&format!("set as statement {number} left it: {names}")));
        }
        Ok(())
    }

    /// Records what a segment that is committed has left in the session.
    pub(super) async fn remember(&self, number: usize) -> Result<(), Box<Failure>> {
        let note = self.note(number, &[]);
        match self.send(&note).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Box::new(self.lost_behind(number, &error))),
        }
    }
}

impl LeftBehind {
    /// What was remembered of the session behind statement `number` of `id`; `None`
    /// when nothing was.
    async fn read(
        ledger: &Ledger,
        client: &Client,
        (id, number): (&str, usize),
    ) -> Result<Option<Self>, Error> {
        let sql = format!(
            "SELECT session::text, ARRAY(SELECT pg_catalog.jsonb_array_elements_text(session -> 'left'))
                FROM {} WHERE migration_id = $1 AND statement = $2 AND session IS NOT NULL",
            ledger.statements()
        );
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let row = client.query_opt(&sql, &[&id, &number]).await?;
        Ok(row.map(|row| Self { json: row.get(0), gone: row.get(1) }))
    }

    /// Makes the session of `client` like it, and says which settings were not.
    async fn bring_back(&self, client: &Client) -> Result<Vec<String>, Error> {
        let json = format!("{}::pg_catalog.jsonb", escape_literal(&self.json));
        let sql = format!(
            "SELECT key, pg_catalog.set_config(key, value, false) \
                FROM pg_catalog.jsonb_each_text(COALESCE({json} OPERATOR(pg_catalog.->) 'settings', '{{}}')) \
                WHERE value OPERATOR(pg_catalog.<>) pg_catalog.current_setting(key, true);\
             SELECT 'session_authorization', pg_catalog.set_config('session_authorization', u, false) \
                FROM (SELECT COALESCE({json} OPERATOR(pg_catalog.->>) 'user', usename) FROM pg_catalog.pg_stat_activity \
                    WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()) a(u) \
                WHERE u OPERATOR(pg_catalog.<>) session_user;\
             SELECT 'role', pg_catalog.set_config('role', r, false) \
                FROM (SELECT {json} OPERATOR(pg_catalog.->>) 'role') a(r) \
                WHERE r OPERATOR(pg_catalog.<>) pg_catalog.current_setting('role')"
        );
        let answer = client.simple_query(&sql).await?;
        let name = |message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
            _ => None,
        };
        Ok(answer.into_iter().filter_map(name).collect())
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
