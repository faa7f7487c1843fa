"""Senders that are not our agent: applications with an SDK of Sentry or OpenTelemetry.

Each module is pure: from a body to events as they are on the wire. From there they go the way of an
agent's.
"""
