-- When an invoice is overdue depends on its seller's time zone: the document keeps the instant, and this
-- column has it. Null in drafts, and in rows of the first releases, whose days are UTC's.
-- squawk-ignore-file require-concurrent-index-creation
-- It holds few rows, those of unpaid invoices. docs/upgrade.md says how to build it beforehand.
ALTER TABLE invoices ADD COLUMN IF NOT EXISTS overdue_from timestamptz;

CREATE INDEX IF NOT EXISTS invoices_overdue_from
    ON invoices (coalesce(overdue_from, (due_date + 1)::timestamp AT TIME ZONE 'UTC'), id)
    WHERE standing IN ('partially_paid', 'upcoming');
