"""GET: invoices, lists, the feed, answers to commands."""
