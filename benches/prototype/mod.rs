//! The least that applies migrations as safely as migraph does: one message for
//! each with the fence and the row of `__migrations__`, `DISCARD ALL` sent behind it,
//! one worker; no attempts, no plan, no events. What migraph costs more is its own.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, pin_mut};
use migraph::postgres::Ledger;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryStream};

/// The keys of WORK and RUNKEY, as good as any.
const WORK: i64 = 1;
const RUN_KEY: i64 = 2;

/// Applies `scripts` (each an id and its SQL) to the new database at `settings`.
/// Both times end when the last commit is known: the first begins before the worker's
/// session is opened, the second before anything.
pub(crate) async fn apply(
    settings: &Config,
    scripts: &[(String, String)],
) -> Result<[Duration; 2], Error> {
    let whole = Instant::now();
    let coordinator = open(settings, "-c standard_conforming_strings=on").await?;
    Ledger::in_schema("migraph").create(&coordinator).await.expect("a new ledger");
    coordinator.batch_execute(&format!("SELECT pg_advisory_lock({RUN_KEY})")).await?;
    let began = Instant::now();
    let baseline = "-c standard_conforming_strings=on -c client_connection_check_interval=500ms -c idle_session_timeout=0";
    let worker = open(settings, baseline).await?;
    let mut cleaning: Option<SimpleQueryStream> = None;
    for (id, sql) in scripts {
        if let Some(answer) = cleaning.take() {
            read(answer).await?;
        }
        let answer = worker.simple_query_raw(&message(id, sql)).await?;
        cleaning = Some(worker.simple_query_raw("DISCARD ALL").await?);
        read(answer).await?;
    }
    Ok([began.elapsed(), whole.elapsed()])
}

async fn open(settings: &Config, options: &str) -> Result<Client, Error> {
    let mut settings = settings.clone();
    let (client, connection) = settings.options(options).connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn read(answer: SimpleQueryStream) -> Result<(), Error> {
    pin_mut!(answer);
    while let Some(message) = answer.next().await {
        message?;
    }
    Ok(())
}

fn message(id: &str, sql: &str) -> String {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let batch = "00000000-0000-0000-0000-000000000001";
    let checksum = "0".repeat(64);
    format!(
        "BEGIN;SET LOCAL lock_timeout='5s';SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock_shared({WORK}) THEN \
         CASE WHEN pg_catalog.pg_try_advisory_xact_lock_shared({RUN_KEY}) THEN ('migraph:fence:run '||pg_catalog.pg_backend_pid())::pg_catalog.int4::pg_catalog.text \
         ELSE pg_catalog.set_config('migraph.tx','{nonce}',true) END \
         ELSE ('migraph:fence:work '||pg_catalog.pg_backend_pid())::pg_catalog.int4::pg_catalog.text END;\n\
         {sql}\n;RESET SESSION AUTHORIZATION;RESET ROLE;\
         INSERT INTO migraph.__migrations__ (id,name,checksum,checksum_algorithm,down_script,down_checksum,dependencies,applied_at,execution_time_ms,batch_id,layer,tool_version) VALUES \
         (CASE WHEN pg_catalog.current_setting('migraph.tx',true) OPERATOR(pg_catalog.=) '{nonce}' THEN '{id}' ELSE ('migraph:ended '||pg_catalog.pg_backend_pid())::pg_catalog.int4::pg_catalog.text END,\
         '{id}','{checksum}','none','DROP TABLE x;','{checksum}','{{}}',pg_catalog.clock_timestamp(),\
         pg_catalog.round((EXTRACT(epoch FROM pg_catalog.clock_timestamp()-pg_catalog.transaction_timestamp())*1000)::pg_catalog.numeric,3),'{batch}',0,'none');COMMIT"
    )
}
