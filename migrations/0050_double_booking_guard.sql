-- @name: Rule out double bookings
-- @description: Neither a room nor a practitioner can have two appointments at the same time
-- @timestamp: 2024-04-22T09:20:00Z
-- @rollbackSafe: true
-- @performanceImpact: high
-- @dependencies: [0002_btree_gist_extension, 0040_appointments]

-- UP MIGRATION
ALTER TABLE appointments
    ADD CONSTRAINT appointments_room_no_overlap
        EXCLUDE USING gist (room_id WITH =, period WITH &&)
        WHERE (status NOT IN ('cancelled', 'no_show')),
    ADD CONSTRAINT appointments_practitioner_no_overlap
        EXCLUDE USING gist (practitioner_id WITH =, period WITH &&)
        WHERE (status NOT IN ('cancelled', 'no_show'));

-- DOWN MIGRATION
ALTER TABLE appointments
    DROP CONSTRAINT appointments_practitioner_no_overlap,
    DROP CONSTRAINT appointments_room_no_overlap;
