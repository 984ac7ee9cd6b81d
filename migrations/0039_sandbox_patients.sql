-- @name: Add the sandbox patients
-- @description: Two thousand made-up patients, with phone numbers as untidy as imported ones are
-- @timestamp: 2024-04-01T15:05:00Z
-- @rollbackSafe: true
-- @performanceImpact: medium
-- @dependencies: [0027_patients, 0031_sandbox_organisation]

-- UP MIGRATION
-- Phone numbers are from the range that Ofcom has set aside for fiction.
INSERT INTO patients (id, organisation_id, given_name, family_name, birth_date, sex, email, phone, created_at, updated_at)
SELECT n,
       1,
       (ARRAY['Ada', 'Ben', 'Chloe', 'Dev', 'Esme', 'Finn', 'Grace', 'Hugo', 'Iris', 'Jack', 'Kezia', 'Leo', 'Maya'])[1 + n % 13],
       (ARRAY['Ahmed', 'Brown', 'Clarke', 'Davies', 'Evans', 'Fraser', 'Green', 'Hughes', 'Iqbal', 'Jones', 'Khan', 'Lewis',
              'Murphy', 'Nowak', 'Owen', 'Patel', 'Quinn', 'Roberts', 'Smith', 'Taylor', 'Wright'])[1 + n % 21],
       DATE '1940-01-01' + (n * 37) % 29000,
       (enum_range(NULL::patient_sex))[1 + n % 4],
       CASE WHEN n % 7 <> 0 THEN format('patient%s@example.org', n) END,
       CASE
           WHEN n % 50 = 0 THEN ''
           WHEN n % 10 = 3 THEN '07700 900' || lpad((n % 1000)::text, 3, '0')
           ELSE '+447700900' || lpad((n % 1000)::text, 3, '0')
       END,
       timestamptz '2024-01-02 09:00:00+00' + n * interval '1 minute',
       timestamptz '2024-01-02 09:00:00+00' + n * interval '1 minute'
FROM generate_series(1, 2000) AS n
ORDER BY n;

SELECT setval(pg_get_serial_sequence('patients', 'id'), max(id)) FROM patients;

-- DOWN MIGRATION
DELETE FROM patients WHERE organisation_id = 1;
