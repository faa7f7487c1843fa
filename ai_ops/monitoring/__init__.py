"""Follow log files and join their lines into records."""
