"""The agent: follows files, spools events durably, ships them. Carries no server code."""
