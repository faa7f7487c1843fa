"""Logs that are not files: each module reads one kind, behind the port in ``port``."""
