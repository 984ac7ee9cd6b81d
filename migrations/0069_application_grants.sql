-- @name: Grant access to the application
-- @description: What the web application may do with which table
-- @timestamp: 2024-05-29T10:05:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [
--     0033_location_closures,
--     0035_staff_shifts,
--     0041_stock_movements,
--     0065_updated_at_triggers,
--     0066_audit_triggers,
--     0067_patient_row_security,
--     0068_appointment_row_security
-- ]

-- UP MIGRATION
-- A grant rewrites the catalogue entry of a table without locking the table, so it comes after
-- everything that adds keys, indexes, triggers or policies to it.
GRANT SELECT ON
    countries, currencies, specialties, service_categories, product_categories,
    cancellation_reasons, message_templates, organisations, tax_rates
    TO clinic_app;

GRANT SELECT, INSERT, UPDATE ON
    locations, staff_members, patients, services, products, price_lists, rooms,
    stock_levels, invoices, appointments, invoice_lines
    TO clinic_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    location_closures, staff_specialties, staff_shifts, price_list_items, appointment_reminders
    TO clinic_app;

-- These are only ever added to.
GRANT SELECT, INSERT ON
    stock_movements, payments, appointment_status_history, clinical_notes
    TO clinic_app;

-- DOWN MIGRATION
REVOKE ALL ON
    stock_movements, payments, appointment_status_history, clinical_notes
    FROM clinic_app;

REVOKE ALL ON
    location_closures, staff_specialties, staff_shifts, price_list_items, appointment_reminders
    FROM clinic_app;

REVOKE ALL ON
    locations, staff_members, patients, services, products, price_lists, rooms,
    stock_levels, invoices, appointments, invoice_lines
    FROM clinic_app;

REVOKE ALL ON
    countries, currencies, specialties, service_categories, product_categories,
    cancellation_reasons, message_templates, organisations, tax_rates
    FROM clinic_app;
