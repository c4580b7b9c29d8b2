"""How fast, beside something else that runs in the same minutes: only ratios mean anything."""
