"""Instructions of a processor for a command, counted by Valgrind: a figure that load cannot move.

The commands are handled in memory, by the worker's own batch handler. What Kafka's and Postgres's
clients cost comes on top.
"""
