-- @name: Add appointment types
-- @description: Enumerations for the life cycle of an appointment
-- @timestamp: 2024-01-22T13:50:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
-- In the order in which an appointment normally passes through them.
CREATE TYPE appointment_status AS ENUM (
    'booked',
    'confirmed',
    'checked_in',
    'completed',
    'cancelled',
    'no_show'
);

CREATE TYPE booking_channel AS ENUM ('front_desk', 'phone', 'online');

CREATE TYPE cancelling_party AS ENUM ('patient', 'clinic');

-- DOWN MIGRATION
DROP TYPE cancelling_party;
DROP TYPE booking_channel;
DROP TYPE appointment_status;
