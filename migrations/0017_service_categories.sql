-- @name: Add service categories
-- @description: Groups under which the bookable services are shown
-- @timestamp: 2024-02-13T09:35:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0001_citext_extension]

-- UP MIGRATION
CREATE TABLE service_categories (
    code       text     NOT NULL,
    name       citext   NOT NULL,
    sort_order smallint NOT NULL,
    CONSTRAINT service_categories_pkey PRIMARY KEY (code),
    CONSTRAINT service_categories_name_key UNIQUE (name),
    -- Deferrable: rearranging the groups swaps positions within one transaction.
    CONSTRAINT service_categories_sort_order_key UNIQUE (sort_order) DEFERRABLE INITIALLY DEFERRED
);

INSERT INTO service_categories (code, name, sort_order) VALUES
    ('consultation', 'Consultations', 1),
    ('check_up', 'Check-ups', 2),
    ('vaccination', 'Vaccinations', 3),
    ('diagnostics', 'Diagnostics', 4),
    ('therapy', 'Therapy', 5),
    ('minor_surgery', 'Minor surgery', 6);

COMMENT ON TABLE service_categories IS 'Groups under which the bookable services are shown';

-- DOWN MIGRATION
DROP TABLE service_categories;
