-- @name: Add calendar days
-- @description: One row per day from 2023 to 2028, so that reports also show the days on which nothing happened
-- @timestamp: 2024-02-06T14:35:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0009_reporting_schema]

-- UP MIGRATION
CREATE TABLE reporting.calendar_days (
    day         date     NOT NULL,
    iso_year    smallint NOT NULL,
    iso_week    smallint NOT NULL,
    iso_weekday smallint NOT NULL,
    is_weekend  boolean  GENERATED ALWAYS AS (iso_weekday IN (6, 7)) STORED,
    CONSTRAINT calendar_days_pkey PRIMARY KEY (day),
    CONSTRAINT calendar_days_iso_week_check CHECK (iso_week BETWEEN 1 AND 53),
    CONSTRAINT calendar_days_iso_weekday_check CHECK (iso_weekday BETWEEN 1 AND 7)
);

CREATE INDEX calendar_days_iso_week_idx ON reporting.calendar_days (iso_year, iso_week);

INSERT INTO reporting.calendar_days (day, iso_year, iso_week, iso_weekday)
SELECT d::date,
       extract(isoyear FROM d),
       extract(week FROM d),
       extract(isodow FROM d)
FROM generate_series(timestamp '2023-01-01', timestamp '2028-12-31', interval '1 day') AS d;

COMMENT ON TABLE reporting.calendar_days IS 'Date dimension of the reports';

-- DOWN MIGRATION
DROP TABLE reporting.calendar_days;
