-- @name: Add the sandbox catalogue
-- @description: Services, shop products and a price list for the sandbox
-- @timestamp: 2024-04-15T13:45:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0031_sandbox_organisation, 0036_price_list_items]

-- UP MIGRATION
INSERT INTO services (id, category_code, organisation_id, tax_rate_code, code, name, duration_minutes, unit_price) VALUES
    (1, 'consultation', 1, 'GB-EXEMPT', 'CONS-15', 'Short consultation', 15, 45),
    (2, 'consultation', 1, 'GB-EXEMPT', 'CONS-30', 'Consultation', 30, 80),
    (3, 'consultation', 1, 'GB-EXEMPT', 'CONS-60', 'Specialist consultation', 60, 170),
    (4, 'check_up', 1, 'GB-EXEMPT', 'CHECK-AD', 'Adult check-up', 45, 120),
    (5, 'check_up', 1, 'GB-EXEMPT', 'CHECK-CH', 'Child check-up', 30, 70),
    (6, 'vaccination', 1, 'GB-EXEMPT', 'VAC-FLU', 'Influenza vaccination', 15, 25),
    (7, 'diagnostics', 1, 'GB-EXEMPT', 'DIA-ECG', 'Electrocardiogram', 30, 95),
    (8, 'diagnostics', 1, 'GB-EXEMPT', 'DIA-LAB', 'Blood test', 15, 38.50),
    (9, 'therapy', 1, 'GB-EXEMPT', 'THE-PHY', 'Physiotherapy session', 45, 65),
    (10, 'minor_surgery', 1, 'GB-STANDARD', 'SUR-COS', 'Cosmetic mole removal', 60, 210);

INSERT INTO products (id, category_code, organisation_id, tax_rate_code, sku, name, unit_price) VALUES
    (1, 'bandages', 1, 'GB-STANDARD', 'BAN-010', 'Elastic bandage', 4.20),
    (2, 'bandages', 1, 'GB-STANDARD', 'BAN-020', 'Waterproof plasters', 3.10),
    (3, 'dental_care', 1, 'GB-STANDARD', 'DEN-010', 'Soft toothbrush', 3.50),
    (4, 'dental_care', 1, 'GB-STANDARD', 'DEN-020', 'Interdental brushes', 5.75),
    (5, 'monitors', 1, 'GB-STANDARD', 'MON-010', 'Blood pressure monitor', 39.90),
    (6, 'monitors', 1, 'GB-STANDARD', 'MON-020', 'Ear thermometer', 27.50),
    (7, 'orthoses', 1, 'GB-REDUCED', 'ORT-010', 'Knee support', 24.00),
    (8, 'orthoses', 1, 'GB-REDUCED', 'ORT-020', 'Wrist splint', 18.40),
    (9, 'skin_care', 1, 'GB-STANDARD', 'SKI-010', 'Emollient cream', 8.95),
    (10, 'skin_care', 1, 'GB-STANDARD', 'SKI-020', 'Sun cream SPF 50', 12.60),
    (11, 'supplements', 1, 'GB-STANDARD', 'SUP-010', 'Vitamin D3', 6.80),
    (12, 'supplements', 1, 'GB-STANDARD', 'SUP-020', 'Iron tablets', 7.25);

INSERT INTO price_lists (id, organisation_id, name, valid_from, is_default) VALUES
    (1, 1, 'Standard', '2024-01-01', true);

INSERT INTO price_list_items (id, service_id, price_list_id, unit_price)
SELECT id, id, 1, unit_price FROM services WHERE organisation_id = 1 ORDER BY id;

INSERT INTO price_list_items (id, product_id, price_list_id, unit_price)
SELECT 100 + id, id, 1, unit_price FROM products WHERE organisation_id = 1 ORDER BY id;

SELECT setval(pg_get_serial_sequence('services', 'id'), max(id)) FROM services;
SELECT setval(pg_get_serial_sequence('products', 'id'), max(id)) FROM products;
SELECT setval(pg_get_serial_sequence('price_lists', 'id'), max(id)) FROM price_lists;
SELECT setval(pg_get_serial_sequence('price_list_items', 'id'), max(id)) FROM price_list_items;

-- DOWN MIGRATION
-- The items go with their list.
DELETE FROM price_lists WHERE organisation_id = 1;
DELETE FROM products WHERE organisation_id = 1;
DELETE FROM services WHERE organisation_id = 1;
