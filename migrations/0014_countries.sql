-- @name: Add countries
-- @description: The countries in which clinics operate
-- @timestamp: 2024-02-06T14:55:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0003_value_domains]

-- UP MIGRATION
CREATE TABLE countries (
    code           country_code NOT NULL,
    name           text         NOT NULL,
    dialling_code  text         NOT NULL,
    CONSTRAINT countries_pkey PRIMARY KEY (code),
    CONSTRAINT countries_name_key UNIQUE (name)
);

INSERT INTO countries (code, name, dialling_code) VALUES
    ('AT', 'Austria', '+43'),
    ('BE', 'Belgium', '+32'),
    ('CH', 'Switzerland', '+41'),
    ('DE', 'Germany', '+49'),
    ('DK', 'Denmark', '+45'),
    ('ES', 'Spain', '+34'),
    ('FR', 'France', '+33'),
    ('GB', 'United Kingdom', '+44'),
    ('IE', 'Ireland', '+353'),
    ('IT', 'Italy', '+39'),
    ('NL', 'Netherlands', '+31'),
    ('PL', 'Poland', '+48'),
    ('PT', 'Portugal', '+351'),
    ('SE', 'Sweden', '+46');

COMMENT ON TABLE countries IS 'Countries in which clinics operate';

-- DOWN MIGRATION
DROP TABLE countries;
