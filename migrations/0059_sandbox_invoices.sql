-- @name: Add the sandbox invoices
-- @description: An invoice for each completed appointment, every fifth with something from the shop
-- @timestamp: 2024-05-06T09:25:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [0051_invoice_lines, 0055_sandbox_appointments]

-- UP MIGRATION
-- In the sandbox an invoice has the id of its appointment.
INSERT INTO invoices (id, location_id, patient_id, number, status, issued_on, due_on, created_at, updated_at)
SELECT a.id,
       r.location_id,
       a.patient_id,
       format('SBX-%s', lpad(a.id::text, 6, '0')),
       CASE WHEN a.id % 8 = 0 THEN 'issued' ELSE 'paid' END::invoice_status,
       (a.ends_at AT TIME ZONE 'UTC')::date,
       (a.ends_at AT TIME ZONE 'UTC')::date + 14,
       a.ends_at,
       a.ends_at
FROM appointments AS a
JOIN rooms AS r ON r.id = a.room_id
WHERE a.status = 'completed'
ORDER BY a.id;

INSERT INTO invoice_lines (invoice_id, line_no, appointment_id, description, unit_price, tax_rate)
SELECT a.id, 1, a.id, s.name, s.unit_price, t.rate
FROM appointments AS a
JOIN services AS s ON s.id = a.service_id
JOIN tax_rates AS t ON t.code = s.tax_rate_code
WHERE a.status = 'completed'
ORDER BY a.id;

INSERT INTO invoice_lines (invoice_id, line_no, product_id, description, quantity, unit_price, tax_rate)
SELECT i.id, 2, p.id, p.name, 1 + i.id % 3, p.unit_price, t.rate
FROM invoices AS i
JOIN products AS p ON p.id = 1 + i.id % 12
JOIN tax_rates AS t ON t.code = p.tax_rate_code
WHERE i.id % 5 = 1
ORDER BY i.id;

SELECT setval(pg_get_serial_sequence('invoices', 'id'), max(id)) FROM invoices;

-- DOWN MIGRATION
-- The lines go with their invoices.
DELETE FROM invoices WHERE location_id IN (SELECT id FROM locations WHERE organisation_id = 1);
