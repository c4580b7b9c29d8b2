"""Postgres: events, answers and current state, written in one transaction."""
