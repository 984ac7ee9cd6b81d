-- @name: Add record_change()
-- @description: Trigger function that copies a changed row into the audit log
-- @timestamp: 2024-02-23T14:25:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0012_audit_log]

-- UP MIGRATION
-- Runs with the rights of its owner: the application may not write to the log itself.
CREATE FUNCTION record_change() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    before_change jsonb;
    after_change  jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        before_change := to_jsonb(OLD);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after_change := to_jsonb(NEW);
    END IF;

    INSERT INTO audit_log (table_name, row_id, action, old_row, new_row)
    VALUES (
        TG_TABLE_NAME,
        (coalesce(after_change, before_change) ->> 'id')::bigint,
        TG_OP,
        before_change,
        after_change
    );

    RETURN NULL;
END;
$function$;

-- DOWN MIGRATION
DROP FUNCTION record_change();
