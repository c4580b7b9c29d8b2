-- Keep older releases from writing, once an event is stored that they do not know.
CREATE TABLE event_rules (
    rules integer     PRIMARY KEY CHECK (rules > 1),
    since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE event_rules IS
    'The rules that a session must know to write events: it says so by the setting invoicing.rules';

GRANT SELECT ON event_rules TO invoicing_writer, invoicing_reader;
GRANT INSERT ON event_rules TO invoicing_writer;

-- A refused login ends the worker of the first releases at its start; any other error, it retries.
CREATE FUNCTION refuse_older_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM event_rules
        WHERE rules > coalesce(nullif(current_setting('invoicing.rules', true), ''), '1')::integer
    ) THEN
        RAISE EXCEPTION 'the database has events of a newer release; start that release instead of this one'
            USING ERRCODE = 'invalid_authorization_specification';
    END IF;
    RETURN NULL;
END $$;
-- A worker writes to homes when it starts, and to events in every batch.
CREATE TRIGGER homes_refuse_older_release BEFORE INSERT ON homes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_older_release();
CREATE TRIGGER events_refuse_older_release BEFORE INSERT ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_older_release();
