-- @name: Add staff specialties
-- @description: Which practitioner is qualified in what
-- @timestamp: 2024-03-20T10:15:00Z
-- @rollbackSafe: false
-- @performanceImpact: low
-- @dependencies: [0016_specialties, 0026_staff_members]

-- UP MIGRATION
CREATE TABLE staff_specialties (
    specialty_code  text   NOT NULL,
    staff_member_id bigint NOT NULL,
    qualified_on    date   NOT NULL,
    CONSTRAINT staff_specialties_pkey PRIMARY KEY (staff_member_id, specialty_code),
    CONSTRAINT staff_specialties_specialty_fkey FOREIGN KEY (specialty_code) REFERENCES specialties (code),
    CONSTRAINT staff_specialties_staff_member_fkey FOREIGN KEY (staff_member_id)
        REFERENCES staff_members (id) ON DELETE CASCADE
);

CREATE INDEX staff_specialties_specialty_idx ON staff_specialties (specialty_code);

COMMENT ON TABLE staff_specialties IS 'Qualifications of the practitioners';

-- DOWN MIGRATION
DROP TABLE staff_specialties;
