-- @name: Add the practitioner diary view
-- @description: Appointments as the people at the front desk want to see them
-- @timestamp: 2024-04-29T13:15:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0009_reporting_schema, 0040_appointments]

-- UP MIGRATION
CREATE VIEW reporting.practitioner_diary AS
SELECT l.organisation_id,
       l.id AS location_id,
       a.id AS appointment_id,
       a.starts_at AT TIME ZONE l.time_zone AS local_start,
       a.ends_at AT TIME ZONE l.time_zone AS local_end,
       s.given_name || ' ' || s.family_name AS practitioner,
       p.given_name || ' ' || p.family_name AS patient,
       v.name AS service,
       r.name AS room,
       a.status
FROM locations AS l
JOIN rooms AS r ON r.location_id = l.id
JOIN appointments AS a ON a.room_id = r.id
JOIN staff_members AS s ON s.id = a.practitioner_id
JOIN patients AS p ON p.id = a.patient_id
JOIN services AS v ON v.id = a.service_id
WHERE a.status <> 'cancelled';

COMMENT ON VIEW reporting.practitioner_diary IS 'Appointments in the local time of their location';

-- DOWN MIGRATION
DROP VIEW reporting.practitioner_diary;
