-- @name: Add the sandbox locations
-- @description: Three clinics with four treatment rooms each
-- @timestamp: 2024-04-10T11:55:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0031_sandbox_organisation, 0032_rooms]

-- UP MIGRATION
INSERT INTO locations (id, organisation_id, name, street, postal_code, city, phone) VALUES
    (1, 1, 'Harbour Street', '1 Harbour Street', 'BS1 5UH', 'Bristol', '+441174960001'),
    (2, 1, 'Castle Gate', '22 Castle Gate', 'NG1 7AT', 'Nottingham', '+441154960002'),
    (3, 1, 'Kelvin Park', '8 Kelvin Way', 'G12 8QQ', 'Glasgow', '+441414960003');

INSERT INTO rooms (id, location_id, name, floor)
SELECT n,
       1 + (n - 1) / 4,
       format('Room %s', 1 + (n - 1) % 4),
       (n - 1) % 4 / 2
FROM generate_series(1, 12) AS n
ORDER BY n;

SELECT setval(pg_get_serial_sequence('locations', 'id'), max(id)) FROM locations;
SELECT setval(pg_get_serial_sequence('rooms', 'id'), max(id)) FROM rooms;

-- DOWN MIGRATION
DELETE FROM rooms WHERE location_id IN (SELECT id FROM locations WHERE organisation_id = 1);
DELETE FROM locations WHERE organisation_id = 1;
