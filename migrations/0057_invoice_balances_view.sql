-- @name: Add the invoice balances view
-- @description: What was charged, paid and is still owed for every invoice
-- @timestamp: 2024-05-03T16:15:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0009_reporting_schema, 0042_payments, 0051_invoice_lines]

-- UP MIGRATION
CREATE VIEW reporting.invoice_balances AS
SELECT i.id AS invoice_id,
       i.location_id,
       i.patient_id,
       i.number,
       i.status,
       i.due_on,
       charged.amount AS charged,
       paid.amount AS paid,
       charged.amount - paid.amount AS balance
FROM invoices AS i
CROSS JOIN LATERAL (
    SELECT coalesce(sum(p.amount), 0) AS amount
    FROM payments AS p
    WHERE p.invoice_id = i.id
) AS paid
CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.net_amount + l.tax_amount), 0) AS amount
    FROM invoice_lines AS l
    WHERE l.invoice_id = i.id
) AS charged
WHERE i.status <> 'void';

COMMENT ON VIEW reporting.invoice_balances IS 'What was charged, paid and is still owed';

-- DOWN MIGRATION
DROP VIEW reporting.invoice_balances;
