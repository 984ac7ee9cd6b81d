-- @name: Add stock levels
-- @description: How much of a product each location has on its shelves
-- @timestamp: 2024-03-27T12:55:00Z
-- @rollbackSafe: false
-- @performanceImpact: low
-- @dependencies: [0025_locations, 0029_products]

-- UP MIGRATION
CREATE TABLE stock_levels (
    location_id   bigint  NOT NULL,
    product_id    bigint  NOT NULL,
    quantity      integer NOT NULL DEFAULT 0,
    reorder_level integer NOT NULL DEFAULT 0,
    CONSTRAINT stock_levels_pkey PRIMARY KEY (location_id, product_id),
    CONSTRAINT stock_levels_location_fkey FOREIGN KEY (location_id) REFERENCES locations (id),
    CONSTRAINT stock_levels_product_fkey FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT stock_levels_quantity_check CHECK (quantity >= 0),
    CONSTRAINT stock_levels_reorder_level_check CHECK (reorder_level >= 0)
);

CREATE INDEX stock_levels_product_idx ON stock_levels (product_id);

COMMENT ON TABLE stock_levels IS 'Stock on hand; changed through stock_movements only';

-- DOWN MIGRATION
DROP TABLE stock_levels;
