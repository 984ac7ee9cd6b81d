-- @name: Add the reporting schema
-- @description: A schema of its own for everything that dashboards and analysts read
-- @timestamp: 2024-01-31T10:05:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
CREATE SCHEMA reporting;

COMMENT ON SCHEMA reporting IS 'Views and helper tables for dashboards; nothing in here is written by the application';

-- DOWN MIGRATION
DROP SCHEMA reporting;
