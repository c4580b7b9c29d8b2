-- The payments, credit notes and sendings of invoices that have many of them.
CREATE TABLE invoice_entries (
    invoice_id text    NOT NULL,
    kind       text    NOT NULL,
    id         text    NOT NULL,
    position   integer NOT NULL,
    document   text    NOT NULL,
    PRIMARY KEY (invoice_id, kind, id)
);
COMMENT ON TABLE invoice_entries IS
    'A part of the state of an invoice whose snapshot begins with "entries"; beside another one, it means nothing';
COMMENT ON COLUMN invoice_entries.document IS
    'The entry as JSON; of a refund, return or dispute the id of its payment, which contains it';

GRANT SELECT ON invoice_entries TO invoicing_writer, invoicing_reader;
GRANT INSERT, UPDATE ON invoice_entries TO invoicing_writer;

CREATE VIEW invoicing_of_seller.invoice_entries AS
    SELECT invoice_entries.* FROM invoice_entries WHERE EXISTS (
        SELECT FROM invoices
        WHERE id = invoice_entries.invoice_id AND seller_id = current_setting('invoicing.seller_id', true));
GRANT SELECT ON invoicing_of_seller.invoice_entries TO invoicing_seller_reader;

-- A worker that does not know the table must not even reject a command: it sees no payment in such a snapshot.
CREATE TRIGGER commands_refuse_older_release BEFORE INSERT ON commands
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_older_release();
