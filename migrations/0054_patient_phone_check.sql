-- @name: Check new phone numbers
-- @description: Accepts only international phone numbers from now on, without looking at the existing ones yet
-- @timestamp: 2024-04-29T13:35:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0047_patient_record_numbers]

-- UP MIGRATION
-- NOT VALID: new and changed rows are checked at once, but the table is not scanned
-- while it is locked. The numbers already there are tidied and checked later.
-- Comes after the record numbers, whose back-fill changes rows that this would refuse.
ALTER TABLE patients
    ADD CONSTRAINT patients_phone_check CHECK (phone ~ '^\+[1-9][0-9]{6,14}$') NOT VALID;

-- DOWN MIGRATION
ALTER TABLE patients DROP CONSTRAINT patients_phone_check;
