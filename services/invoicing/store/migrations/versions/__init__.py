"""One revision each, with its SQL in a file beside it."""
