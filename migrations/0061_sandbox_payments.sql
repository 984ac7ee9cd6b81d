-- @name: Add the sandbox payments
-- @description: A payment in full for each sandbox invoice that is marked as paid
-- @timestamp: 2024-05-13T11:15:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [0042_payments, 0059_sandbox_invoices]

-- UP MIGRATION
INSERT INTO payments (id, invoice_id, method, amount, reference, paid_at)
SELECT i.id,
       i.id,
       m.method,
       charged.amount,
       CASE WHEN m.method <> 'cash' THEN format('SBX-%s', i.id) END,
       (i.issued_on + (i.id % 10)::integer + time '12:00') AT TIME ZONE 'UTC'
FROM invoices AS i
JOIN (
    SELECT invoice_id, sum(net_amount + tax_amount) AS amount
    FROM invoice_lines
    GROUP BY invoice_id
) AS charged ON charged.invoice_id = i.id
CROSS JOIN LATERAL (SELECT (enum_range(NULL::payment_method))[1 + i.id % 4] AS method) AS m
WHERE i.status = 'paid'
ORDER BY i.id;

SELECT setval(pg_get_serial_sequence('payments', 'id'), max(id)) FROM payments;

-- DOWN MIGRATION
DELETE FROM payments WHERE invoice_id IN (
    SELECT i.id
    FROM invoices AS i
    JOIN locations AS l ON l.id = i.location_id
    WHERE l.organisation_id = 1
);
