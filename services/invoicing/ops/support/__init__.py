"""What the commands share: output, progress, errors, readers."""
