-- @name: Add currencies
-- @description: The currencies in which clinics charge
-- @timestamp: 2024-02-09T15:30:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0003_value_domains]

-- UP MIGRATION
CREATE TABLE currencies (
    code        currency_code NOT NULL,
    name        text          NOT NULL,
    symbol      text          NOT NULL,
    minor_units smallint      NOT NULL DEFAULT 2,
    CONSTRAINT currencies_pkey PRIMARY KEY (code),
    CONSTRAINT currencies_minor_units_check CHECK (minor_units BETWEEN 0 AND 4)
);

INSERT INTO currencies (code, name, symbol) VALUES
    ('CHF', 'Swiss franc', 'CHF'),
    ('DKK', 'Danish krone', 'kr.'),
    ('EUR', 'Euro', '€'),
    ('GBP', 'Pound sterling', '£'),
    ('PLN', 'Polish zloty', 'zł'),
    ('SEK', 'Swedish krona', 'kr');

COMMENT ON TABLE currencies IS 'Currencies in which clinics charge';

-- DOWN MIGRATION
DROP TABLE currencies;
