"""The rules: pure functions that return decisions; and the orchestrator, the thin shell over the ports."""
