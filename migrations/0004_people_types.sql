-- @name: Add people types
-- @description: Enumerations used by the staff and patient records
-- @timestamp: 2024-01-22T13:15:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
CREATE TYPE staff_role AS ENUM ('practitioner', 'nurse', 'receptionist', 'manager');

CREATE TYPE patient_sex AS ENUM ('female', 'male', 'other', 'undisclosed');

-- DOWN MIGRATION
DROP TYPE patient_sex;
DROP TYPE staff_role;
