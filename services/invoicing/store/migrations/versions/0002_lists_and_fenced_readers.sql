-- What lists filter and sort by, and readers that see one seller only.
-- squawk-ignore-file require-concurrent-index-creation
-- Before the first release: no table has rows in it that others wait for.

-- Without NOT NULL: a worker of the release before still writes rows without these.
ALTER TABLE invoices
    ADD COLUMN standing      text,
    ADD COLUMN archived      boolean,
    ADD COLUMN total         numeric,
    ADD COLUMN amount_due    numeric,
    ADD COLUMN attempt_count integer,
    ADD COLUMN document_date date,
    ADD COLUMN due_date      date,
    ADD COLUMN live_mode     boolean,
    ADD COLUMN created_at    timestamptz;
COMMENT ON COLUMN invoices.standing IS
    'The status as long as the invoice is neither archived nor due; a day''s status follows from it';

-- Apart from invoices: every change of a row there touches all of its indexes, and labels rarely change.
CREATE TABLE invoice_labels (
    invoice_id text   NOT NULL PRIMARY KEY,
    labels     text[] NOT NULL
);
COMMENT ON TABLE invoice_labels IS 'name=value of what invoices are found by: currency, ids, articles, metadata';

WITH stored AS (
    SELECT id, state AS stored_state, snapshot::jsonb AS snapshot, snapshot::jsonb -> 'document' AS document
    FROM invoices
)
UPDATE invoices SET
    standing = CASE
        WHEN stored_state = 'paid' AND (stored.snapshot ->> 'amount_overpaid')::numeric > 0 THEN 'overpaid'
        WHEN stored_state <> 'open' THEN stored_state
        WHEN jsonb_path_exists(stored.snapshot, '$.payments.*.state ? (@ == "received")') THEN 'received'
        WHEN (stored.snapshot ->> 'amount_due')::numeric < (stored.snapshot ->> 'total')::numeric
            THEN 'partially_paid'
        ELSE 'upcoming'
    END,
    archived = coalesce((stored.snapshot ->> 'archived')::boolean, false),
    total = (stored.snapshot ->> 'total')::numeric,
    amount_due = (stored.snapshot ->> 'amount_due')::numeric,
    attempt_count = coalesce((stored.snapshot ->> 'attempt_count')::integer, 0),
    document_date = (document ->> 'document_date')::date,
    due_date = (document ->> 'due_date')::date,
    live_mode = coalesce((document ->> 'live_mode')::boolean, true),
    created_at = (stored.snapshot ->> 'created_at')::timestamptz
FROM stored WHERE stored.id = invoices.id;

INSERT INTO invoice_labels (invoice_id, labels)
SELECT id, ARRAY(
    SELECT name || '=' || value FROM jsonb_each_text(document) AS part (name, value)
    WHERE name IN ('currency', 'upstream_id', 'application_id', 'order_id') AND value IS NOT NULL
    UNION
    SELECT 'sku_id=' || (item ->> 'sku_id') FROM jsonb_array_elements(document -> 'items') AS item
    WHERE item ->> 'sku_id' IS NOT NULL
    UNION
    SELECT 'metadata.' || length(key) || '.' || key || '=' || value
    FROM jsonb_each_text(CASE jsonb_typeof(document -> 'metadata')
        WHEN 'object' THEN document -> 'metadata' ELSE '{}' END) AS text (key, value)
)
FROM invoices, LATERAL (SELECT snapshot::jsonb -> 'document' AS document) AS stored;

CREATE INDEX invoices_created_at ON invoices (created_at, id);
CREATE INDEX invoices_updated_at ON invoices (updated_at, id);
CREATE INDEX invoices_document_date ON invoices (document_date, id);
CREATE INDEX invoices_due_date ON invoices (due_date, id);
CREATE INDEX invoices_total ON invoices (total, id);
CREATE INDEX invoices_amount_due ON invoices (amount_due, id);
CREATE INDEX invoices_attempt_count ON invoices (attempt_count, id) WHERE attempt_count > 0;
CREATE INDEX invoices_standing ON invoices (standing, due_date, id);
CREATE INDEX invoices_archived ON invoices (created_at, id) WHERE archived;
CREATE INDEX invoices_trial ON invoices (created_at, id) WHERE NOT live_mode;
CREATE INDEX invoices_customer ON invoices (customer_id, created_at, id);
CREATE INDEX invoices_seller ON invoices (seller_id, created_at, id);
CREATE INDEX invoice_labels_labels ON invoice_labels USING gin (labels);

-- A transaction may take a lower position than one that began before it and is over already. So whoever
-- follows all events does it in this order, and stops below pg_snapshot_xmin: all below is settled.
CREATE INDEX events_feed ON events (transaction_id, position);
COMMENT ON COLUMN events.transaction_id IS
    'Follow events by (transaction_id, position), below pg_snapshot_xmin: none comes later in between';

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'invoicing_seller_reader') THEN
        CREATE ROLE invoicing_seller_reader NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'invoicing_seller_reader', 'MEMBER') THEN
        EXECUTE format('GRANT invoicing_seller_reader TO %I', current_user);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO invoicing_seller_reader', current_schema());
END $$;
GRANT SELECT ON invoice_labels TO invoicing_writer, invoicing_reader, invoicing_seller_reader;
GRANT INSERT, UPDATE ON invoice_labels TO invoicing_writer;

-- A seller's reader sees the rows of the seller that its session names, and none where it names none.
ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
CREATE POLICY invoices_written ON invoices TO invoicing_writer USING (true) WITH CHECK (true);
CREATE POLICY invoices_read ON invoices FOR SELECT TO invoicing_reader USING (true);
CREATE POLICY invoices_of_seller ON invoices FOR SELECT TO invoicing_seller_reader
    USING (seller_id = current_setting('invoicing.seller_id', true));
GRANT SELECT ON invoices TO invoicing_seller_reader;

-- COPY, by which events and answers are written, does not go with row level security. So a seller's
-- reader has no right to these tables, but to views of the same names, in a schema that it looks in first.
CREATE SCHEMA invoicing_of_seller;
GRANT USAGE ON SCHEMA invoicing_of_seller TO invoicing_seller_reader;
CREATE VIEW invoicing_of_seller.events AS
    SELECT events.* FROM events WHERE EXISTS (
        SELECT FROM invoices
        WHERE id = events.invoice_id AND seller_id = current_setting('invoicing.seller_id', true));
CREATE VIEW invoicing_of_seller.commands AS
    SELECT commands.* FROM commands
    WHERE source = current_setting('invoicing.source', true) OR EXISTS (
        SELECT FROM invoices
        WHERE id = commands.invoice_id AND seller_id = current_setting('invoicing.seller_id', true));
GRANT SELECT ON invoicing_of_seller.events, invoicing_of_seller.commands TO invoicing_seller_reader;
