-- Events, commands, invoices and number series, with the roles that may touch them.

CREATE TABLE events (
    position       bigint      GENERATED ALWAYS AS IDENTITY,
    invoice_id     text        NOT NULL,
    version        integer     NOT NULL CHECK (version > 0),
    type           text        NOT NULL,
    data           text        NOT NULL,
    command_source text        NOT NULL,
    command_id     text        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    transaction_id xid8        NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (invoice_id, version)
);
CREATE UNIQUE INDEX events_position ON events (position);
COMMENT ON TABLE events IS 'What happened, append-only; the record that everything else is rebuilt from';
COMMENT ON COLUMN events.data IS 'The whole CloudEvent, byte for byte as it is published';
COMMENT ON COLUMN events.transaction_id IS
    'A reader by position stops below pg_snapshot_xmin, or it would miss a slower transaction''s rows';

CREATE TABLE commands (
    source        text        NOT NULL,
    id            text        NOT NULL,
    invoice_id    text        NOT NULL,
    body_hash     bytea       NOT NULL,
    answer        text        NOT NULL,
    first_version integer,
    last_version  integer,
    topic         text        NOT NULL,
    "partition"   integer     NOT NULL,
    "offset"      bigint      NOT NULL,
    recorded_at   timestamptz NOT NULL,
    PRIMARY KEY (source, id),
    CHECK ((first_version IS NULL) = (last_version IS NULL))
);
COMMENT ON TABLE commands IS 'Every command''s one answer, for ever, and where in Kafka the command stood';
COMMENT ON COLUMN commands.first_version IS 'Of the events that the command led to; null where it led to none';

CREATE TABLE invoices (
    id             text        NOT NULL PRIMARY KEY,
    version        integer     NOT NULL CHECK (version > 0),
    state          text        NOT NULL,
    seller_id      text        NOT NULL,
    customer_id    text        NOT NULL,
    invoice_number text,
    snapshot       text        NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE UNIQUE INDEX invoices_number ON invoices (seller_id, invoice_number);
COMMENT ON TABLE invoices IS 'The current state, written with the events; it can be dropped and rebuilt from them';

CREATE TABLE number_series (
    seller_id text   NOT NULL,
    kind      text   NOT NULL,
    period    text   NOT NULL,
    next      bigint NOT NULL CHECK (next > 0),
    PRIMARY KEY (seller_id, kind, period)
);
COMMENT ON TABLE number_series IS 'The next number of a seller''s series; the locked row keeps it without a gap';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER commands_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON commands
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Roles belong to the whole server, so another database may have made them already.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['invoicing_writer', 'invoicing_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
        IF NOT pg_has_role(current_user, role_name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', role_name, current_user);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role_name);
    END LOOP;
END $$;
GRANT SELECT ON events, commands, invoices, number_series, alembic_version
    TO invoicing_writer, invoicing_reader;
GRANT INSERT ON events, commands TO invoicing_writer;
GRANT INSERT, UPDATE ON invoices, number_series TO invoicing_writer;
