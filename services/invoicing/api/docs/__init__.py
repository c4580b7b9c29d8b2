"""OpenAPI, its examples, and the pages that show it."""
