"""Claude, mail."""
