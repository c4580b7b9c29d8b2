"""Checks beyond single fields, and the error messages that clients read."""
