-- @name: Add the sandbox staff
-- @description: Twelve practitioners with their specialties, and three receptionists
-- @timestamp: 2024-04-10T12:30:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0031_sandbox_organisation, 0034_staff_specialties]

-- UP MIGRATION
INSERT INTO staff_members (id, organisation_id, role, given_name, family_name, email, hired_on) VALUES
    (1, 1, 'practitioner', 'Amelia', 'Okafor', 'amelia.okafor@example.org', '2019-03-01'),
    (2, 1, 'practitioner', 'Brendan', 'Walsh', 'brendan.walsh@example.org', '2019-09-16'),
    (3, 1, 'practitioner', 'Celine', 'Moreau', 'celine.moreau@example.org', '2020-01-06'),
    (4, 1, 'practitioner', 'Daniel', 'Stein', 'daniel.stein@example.org', '2020-06-01'),
    (5, 1, 'practitioner', 'Eilidh', 'Campbell', 'eilidh.campbell@example.org', '2020-11-02'),
    (6, 1, 'practitioner', 'Farah', 'Haddad', 'farah.haddad@example.org', '2021-02-01'),
    (7, 1, 'practitioner', 'George', 'Adeyemi', 'george.adeyemi@example.org', '2021-05-10'),
    (8, 1, 'practitioner', 'Hannah', 'Lindqvist', 'hannah.lindqvist@example.org', '2021-08-23'),
    (9, 1, 'practitioner', 'Ivan', 'Petrov', 'ivan.petrov@example.org', '2022-01-10'),
    (10, 1, 'practitioner', 'Jasmine', 'Nguyen', 'jasmine.nguyen@example.org', '2022-04-04'),
    (11, 1, 'practitioner', 'Kofi', 'Mensah', 'kofi.mensah@example.org', '2022-10-17'),
    (12, 1, 'practitioner', 'Lucia', 'Romero', 'lucia.romero@example.org', '2023-02-13'),
    (13, 1, 'receptionist', 'Mark', 'Turner', 'mark.turner@example.org', '2019-03-01'),
    (14, 1, 'receptionist', 'Nadia', 'Rahman', 'nadia.rahman@example.org', '2020-06-01'),
    (15, 1, 'receptionist', 'Orla', 'Byrne', 'orla.byrne@example.org', '2021-05-10');

-- One specialty each, in alphabetical order.
INSERT INTO staff_specialties (specialty_code, staff_member_id, qualified_on)
SELECT s.code, m.id, m.hired_on - 1000
FROM (SELECT code, row_number() OVER (ORDER BY code COLLATE "C") AS position FROM specialties) AS s
JOIN staff_members AS m ON m.id = s.position
WHERE m.role = 'practitioner';

SELECT setval(pg_get_serial_sequence('staff_members', 'id'), max(id)) FROM staff_members;

-- DOWN MIGRATION
DELETE FROM staff_members WHERE organisation_id = 1;
