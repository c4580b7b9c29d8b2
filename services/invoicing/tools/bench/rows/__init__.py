"""The questions that the benchmark asks, one module each."""
