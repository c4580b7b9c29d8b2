"""HTTP: reads from Postgres, writes as commands on Kafka."""
