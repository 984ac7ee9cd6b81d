-- @name: Install citext
-- @description: Case-insensitive text for e-mail addresses, codes and names that must be unique whatever their case
-- @timestamp: 2024-01-11T10:15:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
CREATE EXTENSION citext;

-- DOWN MIGRATION
DROP EXTENSION citext;
