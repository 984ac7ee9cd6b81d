-- @name: Index the patient names
-- @description: Index for finding a patient by family name and date of birth, built while the clinics work
-- @timestamp: 2024-05-14T13:55:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [0038_invoices, 0040_appointments, 0058_patient_phone_validation]

-- UP MIGRATION
-- Comes after everything that refers to or alters patients, for the same reason as the diary index.
CREATE INDEX CONCURRENTLY patients_name_idx
    ON patients (organisation_id, lower(family_name), birth_date);

-- DOWN MIGRATION
DROP INDEX CONCURRENTLY patients_name_idx;
