-- @name: Add message types
-- @description: Enumerations for the messages that are sent to patients
-- @timestamp: 2024-01-23T15:55:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: []

-- UP MIGRATION
CREATE TYPE message_channel AS ENUM ('email', 'sms', 'letter');

CREATE TYPE message_status AS ENUM ('queued', 'sent', 'failed', 'withdrawn');

-- DOWN MIGRATION
DROP TYPE message_status;
DROP TYPE message_channel;
