CREATE TABLE IF NOT EXISTS {schema}.__ledger__ (
    version integer NOT NULL,
    tool_version text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE {schema}.__ledger__ IS 'migraph: the version of these tables; the newest row counts';

CREATE TABLE IF NOT EXISTS {schema}.__migrations__ (
    id text PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    checksum_algorithm text NOT NULL,
    down_script text,
    down_checksum text,
    dependencies text[] NOT NULL,
    applied_at timestamptz NOT NULL,
    execution_time_ms numeric(14, 3) NOT NULL,
    batch_id uuid NOT NULL,
    layer integer NOT NULL,
    applied_by text NOT NULL DEFAULT session_user,
    tool_version text NOT NULL
);
COMMENT ON TABLE {schema}.__migrations__ IS 'migraph: what is applied, one row each, written in the migration''s own transaction';
CREATE INDEX IF NOT EXISTS migrations_applied_at_idx ON {schema}.__migrations__ (applied_at);
CREATE INDEX IF NOT EXISTS migrations_execution_time_ms_idx ON {schema}.__migrations__ (execution_time_ms);
CREATE INDEX IF NOT EXISTS migrations_batch_id_idx ON {schema}.__migrations__ (batch_id);

CREATE TABLE IF NOT EXISTS {schema}.__migration_attempts__ (
    attempt bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id uuid NOT NULL,
    migration_id text NOT NULL,
    started_at timestamptz,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome text NOT NULL CHECK (outcome IN ('applied', 'failed', 'cancelled', 'interrupted', 'repaired')),
    sqlstate text,
    message text,
    statement integer,
    backend_pid integer,
    host text,
    recorded_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE {schema}.__migration_attempts__ IS 'migraph: every try at a migration and how it ended';
CREATE INDEX IF NOT EXISTS migration_attempts_migration_id_idx ON {schema}.__migration_attempts__ (migration_id);

CREATE TABLE IF NOT EXISTS {schema}.__migration_statements__ (
    migration_id text NOT NULL,
    statement integer NOT NULL,
    checksum text NOT NULL,
    batch_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    session jsonb,
    found jsonb,
    PRIMARY KEY (migration_id, statement)
);
COMMENT ON TABLE {schema}.__migration_statements__ IS 'migraph: steps of migrations that do not run in one transaction, by their first statement; no finished_at means that nobody knows how it ended; session is what the session was like behind it, or before it while it is not finished; found is what was there before it';

INSERT INTO {schema}.__ledger__ (version, tool_version)
SELECT {version}, {tool_version} WHERE NOT EXISTS (SELECT FROM {schema}.__ledger__);
