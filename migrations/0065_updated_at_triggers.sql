-- @name: Keep updated_at up to date
-- @description: Stamps every later change to patients, invoices and appointments
-- @timestamp: 2024-05-20T14:50:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0010_touch_updated_at_function, 0060_invoice_totals, 0062_appointment_diary_index, 0063_patient_name_index]

-- UP MIGRATION
-- Comes after the back-fills, which are not changes that anybody made.
CREATE TRIGGER appointments_touch_updated_at
    BEFORE UPDATE ON appointments
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TRIGGER invoices_touch_updated_at
    BEFORE UPDATE ON invoices
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TRIGGER patients_touch_updated_at
    BEFORE UPDATE ON patients
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- DOWN MIGRATION
-- DROP TRIGGER takes a weak lock first and then a strong one; two of them could block each other.
LOCK TABLE appointments, invoices, patients IN ACCESS EXCLUSIVE MODE;

DROP TRIGGER patients_touch_updated_at ON patients;
DROP TRIGGER invoices_touch_updated_at ON invoices;
DROP TRIGGER appointments_touch_updated_at ON appointments;
