"""The rules of an invoice. Pure: no I/O, no clock, no settings."""
