-- @name: Add database roles
-- @description: Roles without login that the web application and the analysts are made members of
-- @timestamp: 2024-01-29T09:45:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
-- Roles belong to the whole cluster: another database may have created them already
-- (duplicate_object), be creating them right now (unique_violation), or have dropped
-- them again before they are granted anything (undefined_object). Once they have a
-- privilege here, no other database can drop them.
DO $do$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['clinic_app', 'clinic_reporting'] LOOP
        LOOP
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    RAISE NOTICE 'role % exists already', role_name;
            END;

            BEGIN
                EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role_name);
                EXIT;
            EXCEPTION
                WHEN undefined_object THEN
                    RAISE NOTICE 'role % was dropped in the meantime, trying again', role_name;
            END;
        END LOOP;
    END LOOP;
END
$do$;

-- DOWN MIGRATION
REVOKE USAGE ON SCHEMA public FROM clinic_app, clinic_reporting;

-- Another database of the cluster may still use a role, or have dropped it in the meantime.
DO $do$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['clinic_app', 'clinic_reporting'] LOOP
        BEGIN
            EXECUTE format('DROP ROLE %I', role_name);
        EXCEPTION
            WHEN dependent_objects_still_exist OR undefined_object OR insufficient_privilege THEN
                RAISE NOTICE 'role % is left to the other databases', role_name;
        END;
    END LOOP;
END
$do$;
