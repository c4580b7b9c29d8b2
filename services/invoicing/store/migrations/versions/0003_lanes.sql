-- How far each lane has come, as the database knows it.

CREATE TABLE lanes (
    consumer_group text    NOT NULL,
    topic          text    NOT NULL,
    "partition"    integer NOT NULL,
    next_offset    bigint  NOT NULL,
    PRIMARY KEY (consumer_group, topic, "partition")
) WITH (fillfactor = 50);
COMMENT ON TABLE lanes IS
    'Written with every batch, before Kafka is told: a committed offset beyond it means a lost past';

GRANT SELECT ON lanes TO invoicing_writer, invoicing_reader;
GRANT INSERT, UPDATE ON lanes TO invoicing_writer;
