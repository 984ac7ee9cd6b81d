-- @name: Add tax rates
-- @description: Value added tax rates by country
-- @timestamp: 2024-02-26T16:35:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0014_countries]

-- UP MIGRATION
CREATE TABLE tax_rates (
    code         text         NOT NULL,
    country_code country_code NOT NULL,
    name         text         NOT NULL,
    rate         percentage   NOT NULL,
    CONSTRAINT tax_rates_pkey PRIMARY KEY (code),
    CONSTRAINT tax_rates_country_fkey FOREIGN KEY (country_code) REFERENCES countries (code),
    CONSTRAINT tax_rates_code_check CHECK (left(code, 3) = country_code || '-')
);

CREATE INDEX tax_rates_country_idx ON tax_rates (country_code);

-- Medical treatment is exempt nearly everywhere; shop goods are not.
INSERT INTO tax_rates (code, country_code, name, rate) VALUES
    ('AT-EXEMPT', 'AT', 'Medical exemption', 0),
    ('AT-STANDARD', 'AT', 'Standard rate', 20),
    ('BE-EXEMPT', 'BE', 'Medical exemption', 0),
    ('BE-STANDARD', 'BE', 'Standard rate', 21),
    ('CH-EXEMPT', 'CH', 'Medical exemption', 0),
    ('CH-STANDARD', 'CH', 'Standard rate', 8.1),
    ('DE-EXEMPT', 'DE', 'Medical exemption', 0),
    ('DE-REDUCED', 'DE', 'Reduced rate', 7),
    ('DE-STANDARD', 'DE', 'Standard rate', 19),
    ('FR-EXEMPT', 'FR', 'Medical exemption', 0),
    ('FR-STANDARD', 'FR', 'Standard rate', 20),
    ('GB-EXEMPT', 'GB', 'Medical exemption', 0),
    ('GB-REDUCED', 'GB', 'Reduced rate', 5),
    ('GB-STANDARD', 'GB', 'Standard rate', 20),
    ('IE-EXEMPT', 'IE', 'Medical exemption', 0),
    ('IE-STANDARD', 'IE', 'Standard rate', 23);

COMMENT ON TABLE tax_rates IS 'Value added tax rates by country';

-- DOWN MIGRATION
DROP TABLE tax_rates;
