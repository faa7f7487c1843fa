"""New evidence: when an error whose pull request was closed unmerged is worth another repair.

A person who closed it said that this change is not wanted. What was known then does not change that; what
is known since may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

RISE = 3.0
"""How many times as often as before an error has to happen."""

MORE = 20
"""How many times more than was to be expected it has to happen: three instead of one is no rise."""

WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """How often an error happened in a span of time."""

    events: int
    span: timedelta

    @property
    def per_day(self) -> float:
        """How often a day; of less than a day nothing can be said, so it counts as a whole one."""
        return self.events / max(self.span / _DAY, 1.0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was known when a pull request was closed unmerged, and what came since.

    ``before`` is at most the week before it. ``releases`` are those that the error was seen in up to then,
    ``releases_since`` those after it in their order; events that name none are in neither.
    """

    closed_at: datetime
    before: Seen
    since: Seen
    releases: frozenset[str] = frozenset()
    releases_since: Sequence[str] = ()


def new_evidence(refusal: Refusal) -> str:
    """Return what is new, in words for people; empty when nothing is."""
    return _another_release(refusal) or _rise(refusal)


def _another_release(refusal: Refusal) -> str:
    since = list(dict.fromkeys(refusal.releases_since))
    # Where no release was named before, the first one that is may be the one that ran all the time.
    known = refusal.releases or frozenset(since[:1])
    fresh = [release for release in since if release not in known]
    if not fresh:
        return ""
    return f"It happens in release {fresh[0][:_SHOWN]}, which it was not seen in when its {_closed(refusal)}."


def _rise(refusal: Refusal) -> str:
    before, since = refusal.before.per_day, refusal.since.per_day
    days = max(refusal.since.span / _DAY, 1.0)
    more = refusal.since.events - before * days
    if since < RISE * before or more < MORE:
        return ""
    return (
        f"It happens clearly more often: {refusal.since.events} times since its {_closed(refusal)}, "
        f"where {before * days:.0f} were to be expected from the week before."
    )


def _closed(refusal: Refusal) -> str:
    return f"pull request was closed on {refusal.closed_at:%Y-%m-%d}"
