-- @name: Record appointment status changes
-- @description: Writes the status history from now on, and starts it for the existing appointments
-- @timestamp: 2024-04-30T15:25:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [0049_appointment_status_history, 0055_sandbox_appointments]

-- UP MIGRATION
CREATE FUNCTION record_appointment_status() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO appointment_status_history (appointment_id, changed_at, old_status, new_status, changed_by)
        VALUES (NEW.id, clock_timestamp(), NULL, NEW.status, session_user);
    ELSIF NEW.status IS DISTINCT FROM OLD.status THEN
        INSERT INTO appointment_status_history (appointment_id, changed_at, old_status, new_status, changed_by)
        VALUES (NEW.id, clock_timestamp(), OLD.status, NEW.status, session_user);
    END IF;

    RETURN NULL;
END;
$function$;

CREATE TRIGGER appointments_record_status
    AFTER INSERT OR UPDATE OF status ON appointments
    FOR EACH ROW EXECUTE FUNCTION record_appointment_status();

-- The trigger comes first: it keeps others from adding appointments that neither it nor this would see.
INSERT INTO appointment_status_history (appointment_id, changed_at, old_status, new_status, changed_by)
SELECT id, updated_at, NULL, status, 'migration'
FROM appointments
ORDER BY id;

-- DOWN MIGRATION
DROP TRIGGER appointments_record_status ON appointments;

DROP FUNCTION record_appointment_status();

DELETE FROM appointment_status_history WHERE changed_by = 'migration';
