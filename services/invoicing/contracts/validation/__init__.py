"""Checks across fields, and the words in which a client hears of a mistake."""
