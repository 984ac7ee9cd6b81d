-- @name: Separate the appointments of the tenants
-- @description: Row-level security for appointments and for the notes about them
-- @timestamp: 2024-05-28T09:45:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0008_database_roles, 0011_tenant_context_function, 0062_appointment_diary_index]

-- UP MIGRATION
ALTER TABLE appointments ENABLE ROW LEVEL SECURITY;

CREATE POLICY appointments_tenant ON appointments
    TO clinic_app
    USING (EXISTS (
        SELECT 1
        FROM patients AS p
        WHERE p.id = appointments.patient_id
          AND p.organisation_id = current_organisation_id()
    ));

ALTER TABLE clinical_notes ENABLE ROW LEVEL SECURITY;

CREATE POLICY clinical_notes_tenant ON clinical_notes
    TO clinic_app
    USING (EXISTS (
        SELECT 1
        FROM appointments AS a
        JOIN patients AS p ON p.id = a.patient_id
        WHERE a.id = clinical_notes.appointment_id
          AND p.organisation_id = current_organisation_id()
    ));

-- DOWN MIGRATION
ALTER TABLE appointments DISABLE ROW LEVEL SECURITY;

DROP POLICY appointments_tenant ON appointments;

ALTER TABLE clinical_notes DISABLE ROW LEVEL SECURITY;

DROP POLICY clinical_notes_tenant ON clinical_notes;
