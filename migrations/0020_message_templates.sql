-- @name: Add message templates
-- @description: Texts of the messages to patients, per channel and language
-- @timestamp: 2024-02-20T12:20:00Z
-- @rollbackSafe: true
-- @performanceImpact: low
-- @dependencies: [0007_message_types]

-- UP MIGRATION
CREATE TABLE message_templates (
    code    text            NOT NULL,
    channel message_channel NOT NULL,
    locale  text            NOT NULL,
    subject text,
    body    text            NOT NULL,
    CONSTRAINT message_templates_pkey PRIMARY KEY (code, channel, locale),
    CONSTRAINT message_templates_locale_check CHECK (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'),
    CONSTRAINT message_templates_subject_check CHECK (channel = 'sms' OR subject IS NOT NULL)
);

INSERT INTO message_templates (code, channel, locale, subject, body) VALUES
    ('appointment_booked', 'email', 'en', 'Your appointment', 'Dear {{given_name}}, we look forward to seeing you on {{date}} at {{time}}.'),
    ('appointment_booked', 'email', 'de', 'Ihr Termin', 'Guten Tag {{given_name}}, wir erwarten Sie am {{date}} um {{time}}.'),
    ('appointment_booked', 'sms', 'en', NULL, 'Booked: {{date}} {{time}}, {{location}}.'),
    ('appointment_booked', 'sms', 'de', NULL, 'Gebucht: {{date}} {{time}}, {{location}}.'),
    ('appointment_reminder', 'email', 'en', 'See you tomorrow', 'Dear {{given_name}}, this is a reminder of your appointment tomorrow at {{time}}.'),
    ('appointment_reminder', 'email', 'de', 'Bis morgen', 'Guten Tag {{given_name}}, wir erinnern an Ihren Termin morgen um {{time}}.'),
    ('appointment_reminder', 'sms', 'en', NULL, 'Reminder: tomorrow {{time}}, {{location}}. Reply C to cancel.'),
    ('appointment_reminder', 'sms', 'de', NULL, 'Erinnerung: morgen {{time}}, {{location}}. Absage mit C.'),
    ('invoice_overdue', 'email', 'en', 'Invoice {{number}}', 'Dear {{given_name}}, invoice {{number}} over {{amount}} is overdue.'),
    ('invoice_overdue', 'letter', 'en', 'Invoice {{number}}', 'Our records show that invoice {{number}} over {{amount}} has not been settled.');

COMMENT ON TABLE message_templates IS 'Texts of the messages to patients, with {{placeholders}}';

-- DOWN MIGRATION
DROP TABLE message_templates;
