"""Grouping: event to fingerprint, one module per version, so that history never re-splits."""
