-- @name: Add billing types
-- @description: Enumerations for invoices and payments
-- @timestamp: 2024-01-23T15:05:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
CREATE TYPE invoice_status AS ENUM ('draft', 'issued', 'paid', 'void');

CREATE TYPE payment_method AS ENUM ('cash', 'card', 'bank_transfer', 'insurer');

-- DOWN MIGRATION
DROP TYPE payment_method;
DROP TYPE invoice_status;
