"""An exhaustive search of what commands can make of an invoice's money."""
