"""What every process needs: settings, logs, clients of Kafka and Postgres, health."""
