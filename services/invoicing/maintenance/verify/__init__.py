"""The proof of the service's promises: Postgres and the topics, read whole and compared."""
