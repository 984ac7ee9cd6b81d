-- @name: Add product categories
-- @description: Tree of the shelves in the clinic shop
-- @timestamp: 2024-02-19T11:25:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0001_citext_extension]

-- UP MIGRATION
CREATE TABLE product_categories (
    code        text   NOT NULL,
    parent_code text,
    name        citext NOT NULL,
    CONSTRAINT product_categories_pkey PRIMARY KEY (code),
    CONSTRAINT product_categories_name_key UNIQUE (name),
    -- Deferrable: a branch may be loaded before the category it hangs on.
    CONSTRAINT product_categories_parent_fkey FOREIGN KEY (parent_code)
        REFERENCES product_categories (code) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT product_categories_parent_check CHECK (parent_code <> code)
);

CREATE INDEX product_categories_parent_idx ON product_categories (parent_code);

INSERT INTO product_categories (code, parent_code, name) VALUES
    ('bandages', 'first_aid', 'Bandages and plasters'),
    ('dental_care', 'hygiene', 'Dental care'),
    ('first_aid', NULL, 'First aid'),
    ('hygiene', NULL, 'Hygiene'),
    ('monitors', NULL, 'Monitors and thermometers'),
    ('orthoses', NULL, 'Supports and orthoses'),
    ('skin_care', 'hygiene', 'Skin care'),
    ('supplements', NULL, 'Supplements');

COMMENT ON TABLE product_categories IS 'Tree of the shelves in the clinic shop';

-- DOWN MIGRATION
DROP TABLE product_categories;
