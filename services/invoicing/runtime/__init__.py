"""What every process needs and no room owns: settings, logs, clients, health."""
