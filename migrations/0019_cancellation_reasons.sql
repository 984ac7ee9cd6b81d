-- @name: Add cancellation reasons
-- @description: Why an appointment was called off, and whether a fee is due
-- @timestamp: 2024-02-19T11:45:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0005_appointment_types]

-- UP MIGRATION
CREATE TABLE cancellation_reasons (
    code        text             NOT NULL,
    party       cancelling_party NOT NULL,
    label       text             NOT NULL,
    fee_applies boolean          NOT NULL DEFAULT false,
    CONSTRAINT cancellation_reasons_pkey PRIMARY KEY (code),
    CONSTRAINT cancellation_reasons_fee_check CHECK (party = 'patient' OR NOT fee_applies)
);

INSERT INTO cancellation_reasons (code, party, label, fee_applies) VALUES
    ('clinic_closed', 'clinic', 'Location closed', false),
    ('clinic_staff_ill', 'clinic', 'Practitioner unwell', false),
    ('clinic_equipment', 'clinic', 'Equipment out of order', false),
    ('patient_recovered', 'patient', 'No longer needed', false),
    ('patient_rescheduled', 'patient', 'Moved to another time', false),
    ('patient_ill', 'patient', 'Too unwell to come', false),
    ('patient_short_notice', 'patient', 'Called off on the same day', true);

COMMENT ON TABLE cancellation_reasons IS 'Why an appointment was called off';

-- DOWN MIGRATION
DROP TABLE cancellation_reasons;
