-- @name: Add value domains
-- @description: Domains for the values that many tables share, so that their format is checked in one place
-- @timestamp: 2024-01-15T12:55:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
-- ISO 3166-1 alpha-2, for example GB.
CREATE DOMAIN country_code AS text
    CONSTRAINT country_code_format CHECK (VALUE ~ '^[A-Z]{2}$');

-- ISO 4217, for example EUR.
CREATE DOMAIN currency_code AS text
    CONSTRAINT currency_code_format CHECK (VALUE ~ '^[A-Z]{3}$');

-- E.164, for example +442079460000.
CREATE DOMAIN phone_number AS text
    CONSTRAINT phone_number_format CHECK (VALUE ~ '^\+[1-9][0-9]{6,14}$');

CREATE DOMAIN money_amount AS numeric(12, 2)
    CONSTRAINT money_amount_not_negative CHECK (VALUE >= 0);

CREATE DOMAIN percentage AS numeric(5, 2)
    CONSTRAINT percentage_range CHECK (VALUE BETWEEN 0 AND 100);

-- DOWN MIGRATION
DROP DOMAIN percentage;
DROP DOMAIN money_amount;
DROP DOMAIN phone_number;
DROP DOMAIN currency_code;
DROP DOMAIN country_code;
