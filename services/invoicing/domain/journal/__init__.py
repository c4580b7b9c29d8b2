"""Double-entry bookkeeping of an invoice's events: the independent check of its amounts."""
