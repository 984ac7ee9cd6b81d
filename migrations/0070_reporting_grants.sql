-- @name: Grant access to the reports
-- @description: Lets the analysts read the reporting schema, and nothing else
-- @timestamp: 2024-05-29T10:40:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0008_database_roles, 0043_low_stock_view, 0053_practitioner_diary_view, 0057_invoice_balances_view, 0064_daily_revenue]

-- UP MIGRATION
GRANT USAGE ON SCHEMA reporting TO clinic_reporting;

GRANT SELECT ON
    reporting.calendar_days,
    reporting.low_stock,
    reporting.practitioner_diary,
    reporting.invoice_balances,
    reporting.daily_revenue
    TO clinic_reporting;

-- DOWN MIGRATION
REVOKE ALL ON
    reporting.calendar_days,
    reporting.low_stock,
    reporting.practitioner_diary,
    reporting.invoice_balances,
    reporting.daily_revenue
    FROM clinic_reporting;

REVOKE ALL ON SCHEMA reporting FROM clinic_reporting;
