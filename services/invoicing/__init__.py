"""An event-driven billing service: commands in on Kafka, event-sourced invoices, events out."""
