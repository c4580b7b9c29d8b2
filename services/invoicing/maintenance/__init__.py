"""What operators run: verify, recover, rebuild, redrive."""
