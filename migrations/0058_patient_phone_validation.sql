-- @name: Tidy the phone numbers
-- @description: Rewrites national numbers as international ones and validates the check on all of them
-- @timestamp: 2024-05-06T09:05:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [0054_patient_phone_check]

-- UP MIGRATION
-- Drops what people type between the digits, and turns the leading 0 into the country's code.
UPDATE patients AS p
SET phone = nullif(regexp_replace(regexp_replace(p.phone, '[^0-9+]', '', 'g'), '^0', c.dialling_code), '')
FROM organisations AS o
JOIN countries AS c ON c.code = o.country_code
WHERE o.id = p.organisation_id
  AND p.phone !~ '^\+[1-9][0-9]{6,14}$';

-- Takes a lock that lets reads and writes go on.
ALTER TABLE patients VALIDATE CONSTRAINT patients_phone_check;

-- DOWN MIGRATION
-- There is no command to make a constraint NOT VALID again; the tidied numbers may stay.
ALTER TABLE patients DROP CONSTRAINT patients_phone_check;

ALTER TABLE patients
    ADD CONSTRAINT patients_phone_check CHECK (phone ~ '^\+[1-9][0-9]{6,14}$') NOT VALID;
