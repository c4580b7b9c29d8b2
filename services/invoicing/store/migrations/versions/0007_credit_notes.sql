-- Credit notes are listed from the events that issued and voided them: no table repeats these.
-- squawk-ignore-file require-concurrent-index-creation
-- They hold few of the events. docs/upgrade.md says how to build them beforehand.
CREATE INDEX IF NOT EXISTS events_credited ON events (recorded_at, invoice_id, version)
    WHERE type = 'invoice.credited';
CREATE INDEX IF NOT EXISTS events_credit_notes ON events (invoice_id, version)
    WHERE type IN ('invoice.credited', 'invoice.credit_note_voided');
