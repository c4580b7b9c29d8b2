"""HTTP: reads from Postgres; writes that become commands on Kafka and wait for their answer."""
