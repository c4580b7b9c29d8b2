"""Kafka in, Kafka out: partitions, batches, transactions."""
