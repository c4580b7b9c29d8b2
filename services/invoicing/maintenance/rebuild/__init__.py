"""The current state, rebuilt from the events."""
