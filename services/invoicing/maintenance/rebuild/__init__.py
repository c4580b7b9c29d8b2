"""The current state, made anew from the events."""
