"""What many events of a batch have in common, made once: of an error, and of where it came from.

Events of one text share their error, the very object, so errors are told apart by identity. It holds as long
as the batch's events are there, and no longer.
"""

from __future__ import annotations

from typing import Any

from ai_ops.core.expected import judge
from ai_ops.core.flood import IntakeRules
from ai_ops.core.provenance import own_work
from ai_ops.flow.event import Event
from ai_ops.flow.issue import TriageClass, TriageDecision
from ai_ops.store.open_issue import Key
from ai_ops.store.rows import NAME, clean, error_json, event_json


class Shared:
    """What was made for the events of one batch so far."""

    def __init__(self, rules: IntakeRules) -> None:
        self._rules = rules
        self._keys: dict[tuple[int, str], tuple[Key, ...]] = {}
        self._triaged: dict[tuple[int, str, str], TriageDecision] = {}
        self._errors: dict[int, dict[str, Any]] = {}
        self._origins: dict[tuple[str, ...], tuple[str, ...]] = {}

    def keys(self, event: Event, repo_key: str) -> tuple[Key, ...]:
        """Return what an event's issue may be known by, the present grouping first."""
        error = event.error
        found = self._keys.get((id(error), repo_key))
        if found is None:
            fingerprints = (error.fingerprint, *error.earlier_fingerprints)
            found = tuple((clean(fingerprint, 128), repo_key) for fingerprint in fingerprints)
            self._keys[id(error), repo_key] = found
        return found

    def triage(self, event: Event, repo_key: str) -> TriageDecision:
        """Return what the rules say of an event's error, and of where it came from."""
        if reason := own_work(event):
            return TriageDecision(TriageClass.EXPECTED, False, reason)
        key = id(event.error), event.level, repo_key
        found = self._triaged.get(key)
        if found is None:
            found = judge(event.error, event.level, repo_key, self._rules.expected)
            self._triaged[key] = found
        return found

    def json(self, event: Event) -> dict[str, Any]:
        """Return an event's JSON; its error is made only once for all events that share it."""
        error = self._errors.get(id(event.error))
        if error is None:
            error = self._errors[id(event.error)] = error_json(event.error)
        return event_json(event, error)

    def origin(self, event: Event) -> tuple[str, ...]:
        """Return an event's node, service, environment and release as columns hold them."""
        words = (event.node, event.service, event.environment, event.release)
        found = self._origins.get(words)
        if found is None:
            found = self._origins[words] = tuple(clean(word, NAME) for word in words)
        return found
