-- @name: Add the sandbox appointments
-- @description: Eight weeks of appointments for twelve practitioners
-- @timestamp: 2024-04-30T14:10:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [0039_sandbox_patients, 0040_appointments, 0044_sandbox_locations, 0045_sandbox_staff, 0046_sandbox_catalogue]

-- UP MIGRATION
-- Every practitioner has a room of their own and starts eight appointments a day, on the hour.
-- The times are counted in hours, because the length of a day depends on the time zone of the session.
INSERT INTO appointments (
    id, cancellation_reason_code, practitioner_id, patient_id, service_id, room_id,
    status, channel, starts_at, ends_at, cancelled_at, created_at, updated_at
)
SELECT slot.id,
       CASE WHEN slot.status = 'cancelled' THEN 'patient_rescheduled' END,
       slot.position,
       1 + slot.id * 7919 % 2000,
       service.id,
       slot.position,
       slot.status,
       (enum_range(NULL::booking_channel))[1 + slot.id % 3],
       slot.starts_at,
       slot.starts_at + make_interval(mins => service.duration_minutes),
       CASE WHEN slot.status = 'cancelled' THEN slot.starts_at - interval '30 hours' END,
       slot.starts_at - interval '200 hours',
       slot.starts_at - interval '200 hours'
FROM (
    SELECT n AS id,
           1 + (n - 1) % 12 AS position,
           timestamptz '2024-03-04 09:00:00+00'
               + make_interval(hours => 168 * ((n - 1) / 480) + 24 * ((n - 1) / 96 % 5) + (n - 1) / 12 % 8) AS starts_at,
           CASE
               WHEN n % 20 = 0 THEN 'cancelled'
               WHEN n > 3360 THEN 'booked'
               WHEN n % 33 = 0 THEN 'no_show'
               ELSE 'completed'
           END::appointment_status AS status
    FROM generate_series(1, 3840) AS n
) AS slot
JOIN services AS service ON service.id = 1 + slot.id % 10
ORDER BY slot.id;

SELECT setval(pg_get_serial_sequence('appointments', 'id'), max(id)) FROM appointments;

-- DOWN MIGRATION
DELETE FROM appointments WHERE practitioner_id IN (SELECT id FROM staff_members WHERE organisation_id = 1);
