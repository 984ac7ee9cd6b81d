-- @name: Add daily revenue
-- @description: Materialised view of what each location charged and received per day
-- @timestamp: 2024-05-17T14:15:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [0013_calendar_days, 0060_invoice_totals, 0061_sandbox_payments]

-- UP MIGRATION
CREATE MATERIALIZED VIEW reporting.daily_revenue AS
SELECT l.organisation_id,
       l.id AS location_id,
       d.day,
       d.is_weekend,
       coalesce(charged.invoices, 0) AS invoices,
       coalesce(charged.amount, 0)   AS charged,
       coalesce(received.amount, 0)  AS received
FROM reporting.calendar_days AS d
CROSS JOIN locations AS l
LEFT JOIN (
    SELECT i.location_id,
           i.issued_on AS day,
           count(*) AS invoices,
           sum(i.net_total + i.tax_total) AS amount
    FROM invoices AS i
    WHERE i.status IN ('issued', 'paid')
    GROUP BY i.location_id, i.issued_on
) AS charged ON charged.location_id = l.id AND charged.day = d.day
LEFT JOIN (
    SELECT i.location_id,
           (p.paid_at AT TIME ZONE l.time_zone)::date AS day,
           sum(p.amount) AS amount
    FROM locations AS l
    JOIN invoices AS i ON i.location_id = l.id
    JOIN payments AS p ON p.invoice_id = i.id
    GROUP BY i.location_id, (p.paid_at AT TIME ZONE l.time_zone)::date
) AS received ON received.location_id = l.id AND received.day = d.day
WHERE d.day BETWEEN (SELECT min(issued_on) FROM invoices)
                AND (SELECT max((paid_at AT TIME ZONE 'UTC')::date) FROM payments);

-- A unique index is what allows a refresh without locking out the readers.
CREATE UNIQUE INDEX daily_revenue_key ON reporting.daily_revenue (location_id, day);

COMMENT ON MATERIALIZED VIEW reporting.daily_revenue IS 'Charged and received per location and day; refreshed every night';

-- DOWN MIGRATION
DROP MATERIALIZED VIEW reporting.daily_revenue;
