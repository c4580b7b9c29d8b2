-- Open invoices by customer, for the report of receivables by age.
-- squawk-ignore-file require-concurrent-index-creation
-- It holds few rows, those of open invoices. docs/upgrade.md says how to build it beforehand.
CREATE INDEX IF NOT EXISTS invoices_receivable ON invoices (customer_id, seller_id) WHERE state = 'open';
