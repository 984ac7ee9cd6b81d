-- @name: Add touch_updated_at()
-- @description: Trigger function that stamps the time of the last change on a row
-- @timestamp: 2024-01-31T10:40:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
CREATE FUNCTION touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$function$;

-- DOWN MIGRATION
DROP FUNCTION touch_updated_at();
