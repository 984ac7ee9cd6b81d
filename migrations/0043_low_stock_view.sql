-- @name: Add the low stock view
-- @description: Products that a location has to reorder
-- @timestamp: 2024-04-08T11:35:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0009_reporting_schema, 0037_stock_levels]

-- UP MIGRATION
CREATE VIEW reporting.low_stock AS
SELECT l.organisation_id,
       l.id   AS location_id,
       l.name AS location_name,
       p.id   AS product_id,
       p.sku,
       p.name AS product_name,
       s.quantity,
       s.reorder_level
FROM locations AS l
JOIN stock_levels AS s ON s.location_id = l.id
JOIN products AS p ON p.id = s.product_id
WHERE l.is_active
  AND s.quantity < s.reorder_level;

COMMENT ON VIEW reporting.low_stock IS 'Products of which less is left than the reorder level';

-- DOWN MIGRATION
DROP VIEW reporting.low_stock;
