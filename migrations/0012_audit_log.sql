-- @name: Add the audit log
-- @description: Range-partitioned log of changes to sensitive rows
-- @timestamp: 2024-02-05T12:45:00Z
-- @rollbackSafe: false
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
CREATE TABLE audit_log (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    occurred_at timestamptz NOT NULL DEFAULT now(),
    actor       text        NOT NULL DEFAULT session_user,
    table_name  text        NOT NULL,
    row_id      bigint      NOT NULL,
    action      text        NOT NULL,
    old_row     jsonb,
    new_row     jsonb,
    -- A key of a partitioned table has to contain the partition key.
    CONSTRAINT audit_log_pkey PRIMARY KEY (occurred_at, id),
    CONSTRAINT audit_log_action_check CHECK (action IN ('INSERT', 'UPDATE', 'DELETE'))
) PARTITION BY RANGE (occurred_at);

CREATE INDEX audit_log_row_idx ON audit_log (table_name, row_id);

COMMENT ON TABLE audit_log IS 'Who changed which sensitive row, and when; one partition per year';

-- DOWN MIGRATION
DROP TABLE audit_log;
