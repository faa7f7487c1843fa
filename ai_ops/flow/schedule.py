"""Schedule: a prompt task that comes again and again, and each time that it was due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Missed(StrEnum):
    """What becomes of the times at which the server did not run.

    ``skip``: nothing. ``coalesce``: one task for all of them. ``catch_up``: one task each.
    """

    SKIP = "skip"
    COALESCE = "coalesce"
    CATCH_UP = "catch_up"


class Overlap(StrEnum):
    """What becomes of a time at which the task of the time before is not over.

    ``skip``: nothing. ``queue``: its task waits. ``replace``: the one before is cancelled.
    """

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"


class TickOutcome(StrEnum):
    """What became of one time: a task was made, or why not."""

    CREATED = "created"
    MISSED = "missed"
    OVERLAPPED = "overlapped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a prompt task is to be made, and which.

    ``cron`` has five fields and is read in ``timezone`` (an IANA name). ``task`` is what its tasks are
    made of: ``{"payload", "priority", "repo_url", "code_host"}``, checked and without secrets. ``next_at`` is
    the next time that is due, None while it is disabled. The ``last_`` fields tell of the newest tick.
    ``external_id`` is that of the file it was imported from.
    """

    id: str
    name: str
    cron: str
    timezone: str
    task: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    enabled: bool = True
    missed: Missed = Missed.COALESCE
    overlap: Overlap = Overlap.SKIP
    next_at: datetime | None = None
    last_at: datetime | None = None
    last_outcome: TickOutcome | None = None
    last_reason: str = ""
    last_task_id: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """One time of a schedule and what became of it. Unique by (schedule_id, due_at).

    ``due_at`` of a run that a person asked for is the moment of asking. ``covers`` counts the missed times
    that it stands for too.
    """

    schedule_id: str
    due_at: datetime
    at: datetime
    outcome: TickOutcome
    reason: str = ""
    task_id: str | None = None
    covers: int = 0
    by_hand: bool = False
