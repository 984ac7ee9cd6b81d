-- @name: Add audit log partitions
-- @description: A partition for each year and one for everything outside of them
-- @timestamp: 2024-02-20T13:35:00Z
-- @rollbackSafe: false
-- @performanceImpact: low
-- @dependencies: [0012_audit_log]

-- UP MIGRATION
-- The bounds name their offset: they must not depend on the time zone of the session.
CREATE TABLE audit_log_2024 PARTITION OF audit_log
    FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2025-01-01 00:00:00+00');

CREATE TABLE audit_log_2025 PARTITION OF audit_log
    FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2026-01-01 00:00:00+00');

CREATE TABLE audit_log_2026 PARTITION OF audit_log
    FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');

CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;

-- DOWN MIGRATION
DROP TABLE audit_log_default;
DROP TABLE audit_log_2026;
DROP TABLE audit_log_2025;
DROP TABLE audit_log_2024;
