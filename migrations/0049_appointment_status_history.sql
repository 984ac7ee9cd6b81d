-- @name: Add the appointment status history
-- @description: Every status an appointment has been in
-- @timestamp: 2024-04-16T16:45:00Z
-- @rollbackSafe: false
-- @performanceImpact: low
-- @dependencies: [0040_appointments]

-- UP MIGRATION
CREATE TABLE appointment_status_history (
    appointment_id bigint             NOT NULL,
    changed_at     timestamptz        NOT NULL,
    old_status     appointment_status,
    new_status     appointment_status NOT NULL,
    changed_by     text               NOT NULL,
    CONSTRAINT appointment_status_history_pkey PRIMARY KEY (appointment_id, changed_at),
    CONSTRAINT appointment_status_history_appointment_fkey FOREIGN KEY (appointment_id)
        REFERENCES appointments (id) ON DELETE CASCADE,
    CONSTRAINT appointment_status_history_change_check CHECK (old_status IS DISTINCT FROM new_status)
);

COMMENT ON TABLE appointment_status_history IS 'Every status an appointment has been in';

-- DOWN MIGRATION
DROP TABLE appointment_status_history;
