"""`invoicing bench`: how fast, beside something else that runs in the same minutes.

A shared machine's absolute figures mean nothing, so every contender runs in turns with its
opponent, and what counts is the ratio of each round.
"""
