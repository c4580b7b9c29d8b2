"""The service as an operator deploys it."""
