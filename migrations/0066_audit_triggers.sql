-- @name: Audit the sensitive tables
-- @description: Logs every later change to patients, invoices, appointments and payments
-- @timestamp: 2024-05-20T16:05:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [
--     0021_audit_log_partitions,
--     0022_audit_trigger_function,
--     0060_invoice_totals,
--     0061_sandbox_payments,
--     0062_appointment_diary_index,
--     0063_patient_name_index
-- ]

-- UP MIGRATION
-- Comes after the sandbox and the back-fills, so that the log starts empty.
CREATE TRIGGER appointments_audit
    AFTER INSERT OR UPDATE OR DELETE ON appointments
    FOR EACH ROW EXECUTE FUNCTION record_change();

CREATE TRIGGER invoices_audit
    AFTER INSERT OR UPDATE OR DELETE ON invoices
    FOR EACH ROW EXECUTE FUNCTION record_change();

CREATE TRIGGER patients_audit
    AFTER INSERT OR UPDATE OR DELETE ON patients
    FOR EACH ROW EXECUTE FUNCTION record_change();

CREATE TRIGGER payments_audit
    AFTER INSERT OR UPDATE OR DELETE ON payments
    FOR EACH ROW EXECUTE FUNCTION record_change();

-- DOWN MIGRATION
-- DROP TRIGGER takes a weak lock first and then a strong one; two of them could block each other.
LOCK TABLE appointments, invoices, patients, payments IN ACCESS EXCLUSIVE MODE;

DROP TRIGGER payments_audit ON payments;
DROP TRIGGER patients_audit ON patients;
DROP TRIGGER invoices_audit ON invoices;
DROP TRIGGER appointments_audit ON appointments;
