"""The service as its users see it: worker processes, driven over Kafka alone."""
