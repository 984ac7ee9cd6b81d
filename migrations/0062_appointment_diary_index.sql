-- @name: Index the appointment diary
-- @description: Index for the free slots of a practitioner, built while appointments are being booked
-- @timestamp: 2024-05-14T12:05:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [
--     0048_appointment_reminders,
--     0050_double_booking_guard,
--     0051_invoice_lines,
--     0052_clinical_notes,
--     0056_appointment_status_trigger
-- ]

-- UP MIGRATION
-- Waits for every transaction that locks appointments, and blocks new ones that need a strong
-- lock: whatever else refers to or alters the table has to come before or after it.
CREATE INDEX CONCURRENTLY appointments_diary_idx
    ON appointments (practitioner_id, starts_at)
    INCLUDE (ends_at)
    WHERE status NOT IN ('cancelled', 'no_show');

-- DOWN MIGRATION
DROP INDEX CONCURRENTLY appointments_diary_idx;
