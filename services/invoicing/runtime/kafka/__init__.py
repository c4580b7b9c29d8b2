"""How we reach Kafka: clients, topics, groups."""
