-- @name: Add the sandbox organisation
-- @description: A made-up tenant that every environment has, for demonstrations and smoke tests
-- @timestamp: 2024-03-11T15:15:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0023_organisations]

-- UP MIGRATION
-- The sandbox has id 1 wherever it refers to itself, and fixed dates: two databases
-- that were migrated on different days hold the same rows.
INSERT INTO organisations (id, country_code, currency_code, slug, name, created_at)
VALUES (1, 'GB', 'GBP', 'sandbox', 'Sandbox Health', '2024-01-02 09:00:00+00');

SELECT setval(pg_get_serial_sequence('organisations', 'id'), max(id)) FROM organisations;

-- DOWN MIGRATION
DELETE FROM organisations WHERE slug = 'sandbox';
