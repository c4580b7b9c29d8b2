-- Among how many lanes the invoices are at home, whatever partitions are added later.

CREATE TABLE homes (
    topic      text    PRIMARY KEY,
    partitions integer NOT NULL CHECK (partitions > 0)
);
COMMENT ON TABLE homes IS
    'The partitions that the commands topic had at first: an invoice must not move while it is worked on';

GRANT SELECT ON homes TO invoicing_writer, invoicing_reader;
GRANT INSERT ON homes TO invoicing_writer;
