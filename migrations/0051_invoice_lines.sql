-- @name: Add invoice lines
-- @description: The treatments and goods that an invoice charges for
-- @timestamp: 2024-04-24T10:35:00Z
-- @rollbackSafe: false
-- @performanceImpact: low
-- @dependencies: [0029_products, 0038_invoices, 0040_appointments]

-- UP MIGRATION
CREATE TABLE invoice_lines (
    invoice_id     bigint        NOT NULL,
    line_no        smallint      NOT NULL,
    product_id     bigint,
    appointment_id bigint,
    description    text          NOT NULL,
    quantity       integer       NOT NULL DEFAULT 1,
    unit_price     money_amount  NOT NULL,
    tax_rate       percentage    NOT NULL,
    net_amount     numeric(12,2) GENERATED ALWAYS AS (quantity * unit_price) STORED,
    tax_amount     numeric(12,2) GENERATED ALWAYS AS (round(quantity * unit_price * tax_rate / 100, 2)) STORED,
    CONSTRAINT invoice_lines_pkey PRIMARY KEY (invoice_id, line_no),
    CONSTRAINT invoice_lines_product_fkey FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT invoice_lines_invoice_fkey FOREIGN KEY (invoice_id) REFERENCES invoices (id) ON DELETE CASCADE,
    CONSTRAINT invoice_lines_appointment_fkey FOREIGN KEY (appointment_id) REFERENCES appointments (id),
    CONSTRAINT invoice_lines_subject_check CHECK (num_nonnulls(product_id, appointment_id) = 1),
    CONSTRAINT invoice_lines_quantity_check CHECK (quantity > 0)
);

CREATE INDEX invoice_lines_product_idx ON invoice_lines (product_id) WHERE product_id IS NOT NULL;

-- Also keeps an appointment from being charged twice.
CREATE UNIQUE INDEX invoice_lines_appointment_key ON invoice_lines (appointment_id) WHERE appointment_id IS NOT NULL;

COMMENT ON TABLE invoice_lines IS 'Treatments and goods that an invoice charges for';
COMMENT ON COLUMN invoice_lines.unit_price IS 'Copied at the time of sale: later price changes do not alter an invoice';

-- DOWN MIGRATION
DROP TABLE invoice_lines;
