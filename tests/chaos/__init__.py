"""Faults at random, from a seed that is printed, under load: and then every promise is checked."""
