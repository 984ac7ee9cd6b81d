-- @name: Add current_organisation_id()
-- @description: The organisation a session works for, as announced by the application when it takes a connection
-- @timestamp: 2024-02-05T11:55:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
-- NULL when nothing was announced, so that a policy comparing with it lets no row through.
CREATE FUNCTION current_organisation_id() RETURNS bigint
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT nullif(current_setting('clinic.organisation_id', true), '')::bigint
$$;

-- DOWN MIGRATION
DROP FUNCTION current_organisation_id();
