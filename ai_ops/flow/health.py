"""Health of an installation: what was measured of it, and what that says, one check each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How soon a person is wanted. ``P1``: now, work stands still. ``P2``: today. ``P3``: some time."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"

    def worse_of(self, other: Severity) -> Severity:
        """Return the more severe of the two."""
        return min(self, other)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that was looked at; ``severity`` is None where it is well. ``name`` is stable.

    A ``flaps`` check may fail for a moment, and is believed at the second time.
    """

    name: str
    text: str
    severity: Severity | None = None
    next_step: str = ""
    flaps: bool = False


@dataclass(frozen=True, slots=True)
class HostUse:
    """What the host has left: bytes and numbers of inodes, None where it does not say."""

    disk_free: int
    disk_total: int
    inodes_free: int | None = None
    inodes_total: int | None = None
    memory_available: int | None = None
    memory_total: int | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """How a service answered: ``failure`` is empty for one that does; ``its_time`` is by its own clock."""

    failure: str = ""
    its_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Vitals:
    """What was measured, in seconds.

    ``queue_seconds`` is how long the oldest pending task has waited, ``outbox_seconds`` the oldest message
    that is to go out. ``clock_off_seconds`` is how far our clock is from those of ``peers``, None where none
    says; ``clock_jump_seconds`` how far it jumped since the last look.
    """

    host: HostUse
    database_failure: str = ""
    queue_seconds: float = 0.0
    queue_paused: bool = False
    worker_silent_seconds: float = 0.0
    outbox_seconds: float = 0.0
    peers: Mapping[str, Reached] = field(default_factory=dict)
    clock_off_seconds: float | None = None
    clock_jump_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class HealthRules:
    """From when on a measure is bad. Bytes and seconds."""

    disk_floor: int = 5 * 1000**3
    worker_silent_seconds: float = 1200.0
    queue_seconds: float = 3600.0
    outbox_seconds: float = 1800.0
