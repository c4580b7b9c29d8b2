"""Bring one side forward from the other, after it was restored, replaced or has lost data."""
