-- @name: Separate the patients of the tenants
-- @description: Row-level security: the application sees the patients of one organisation at a time
-- @timestamp: 2024-05-27T16:55:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0008_database_roles, 0011_tenant_context_function, 0063_patient_name_index]

-- UP MIGRATION
ALTER TABLE patients ENABLE ROW LEVEL SECURITY;

CREATE POLICY patients_tenant ON patients
    TO clinic_app
    USING (organisation_id = current_organisation_id())
    WITH CHECK (organisation_id = current_organisation_id());

-- DOWN MIGRATION
ALTER TABLE patients DISABLE ROW LEVEL SECURITY;

DROP POLICY patients_tenant ON patients;
