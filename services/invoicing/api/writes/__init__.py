"""POST, PATCH, DELETE: a command is sent and its answer awaited."""
