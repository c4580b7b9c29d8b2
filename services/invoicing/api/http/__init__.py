"""What every request passes: limits, problems, routing, metrics, traces."""
