-- @name: Give patients a record number
-- @description: Numbers the patients of each organisation, existing ones in the order of their registration
-- @timestamp: 2024-04-15T14:35:00Z
-- @rollbackSafe: false
-- @performanceImpact: high
-- @dependencies: [0039_sandbox_patients]

-- UP MIGRATION
ALTER TABLE patients ADD COLUMN record_number text;

UPDATE patients AS p
SET record_number = numbered.record_number
FROM (
    SELECT id,
           'P' || lpad(row_number() OVER (PARTITION BY organisation_id ORDER BY id)::text, 6, '0') AS record_number
    FROM patients
) AS numbered
WHERE numbered.id = p.id;

ALTER TABLE patients
    ALTER COLUMN record_number SET NOT NULL,
    ADD CONSTRAINT patients_record_number_key UNIQUE (organisation_id, record_number);

COMMENT ON COLUMN patients.record_number IS 'Printed on letters; unique within the organisation';

-- DOWN MIGRATION
ALTER TABLE patients DROP COLUMN record_number;
