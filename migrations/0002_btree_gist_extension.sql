-- @name: Install btree_gist
-- @description: GiST operator classes for plain types, so that an exclusion constraint can combine an id with a range
-- @timestamp: 2024-01-15T11:05:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
CREATE EXTENSION btree_gist;

-- DOWN MIGRATION
DROP EXTENSION btree_gist;
