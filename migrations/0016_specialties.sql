-- @name: Add specialties
-- @description: Medical specialties of the practitioners
-- @timestamp: 2024-02-12T16:45:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0001_citext_extension]

-- UP MIGRATION
CREATE TABLE specialties (
    code text   NOT NULL,
    name citext NOT NULL,
    CONSTRAINT specialties_pkey PRIMARY KEY (code),
    CONSTRAINT specialties_name_key UNIQUE (name)
);

INSERT INTO specialties (code, name) VALUES
    ('cardiology', 'Cardiology'),
    ('dentistry', 'Dentistry'),
    ('dermatology', 'Dermatology'),
    ('ent', 'Ear, nose and throat'),
    ('general', 'General practice'),
    ('gynaecology', 'Gynaecology'),
    ('nutrition', 'Nutrition'),
    ('ophthalmology', 'Ophthalmology'),
    ('orthopaedics', 'Orthopaedics'),
    ('paediatrics', 'Paediatrics'),
    ('physiotherapy', 'Physiotherapy'),
    ('psychology', 'Psychology');

COMMENT ON TABLE specialties IS 'Medical specialties of the practitioners';

-- DOWN MIGRATION
DROP TABLE specialties;
