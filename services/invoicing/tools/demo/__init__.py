"""`invoicing demo`: the whole service on a machine that has nothing but Python."""
