-- @name: Store the invoice totals
-- @description: Keeps the totals with the invoice, computed from the lines for the existing ones
-- @timestamp: 2024-05-13T10:00:00Z
-- @rollbackSafe: true
-- @performanceImpact: high
-- @dependencies: [0059_sandbox_invoices]

-- UP MIGRATION
ALTER TABLE invoices
    ADD COLUMN net_total money_amount,
    ADD COLUMN tax_total money_amount;

UPDATE invoices AS i
SET net_total = totals.net,
    tax_total = totals.tax
FROM (
    SELECT invoice_id, sum(net_amount) AS net, sum(tax_amount) AS tax
    FROM invoice_lines
    GROUP BY invoice_id
) AS totals
WHERE totals.invoice_id = i.id;

-- Invoices without lines.
UPDATE invoices
SET net_total = 0,
    tax_total = 0
WHERE net_total IS NULL;

ALTER TABLE invoices
    ALTER COLUMN net_total SET DEFAULT 0,
    ALTER COLUMN net_total SET NOT NULL,
    ALTER COLUMN tax_total SET DEFAULT 0,
    ALTER COLUMN tax_total SET NOT NULL;

COMMENT ON COLUMN invoices.net_total IS 'Sum over invoice_lines.net_amount, written when the invoice is issued';
COMMENT ON COLUMN invoices.tax_total IS 'Sum over invoice_lines.tax_amount, written when the invoice is issued';

-- DOWN MIGRATION
ALTER TABLE invoices
    DROP COLUMN tax_total,
    DROP COLUMN net_total;
