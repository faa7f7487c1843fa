"""What CI's word on a pull request means, and what we did about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class CiVerdict(StrEnum):
    """What CI's word on the head of a branch means for its pull request.

    ``waiting``: something still runs, or may yet begin. ``ours``: what fails is laid to the fix.
    ``theirs``: it fails on the base too. ``stale``: it is mended on the base, which the branch lacks.
    ``flapping``: it passed on the same commit before. ``unknown``: no check came in time.
    """

    WAITING = "waiting"
    GREEN = "green"
    OURS = "ours"
    THEIRS = "theirs"
    STALE = "stale"
    FLAPPING = "flapping"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CiStatus:
    """How CI stood at the head of a pull request when it was last looked at, and what we did.

    ``sha`` is that head and ``since`` when it was first looked at. ``passed`` and ``failed`` name the checks
    that were seen so at this head at any time. ``asked`` are the follow-ups: what each was for, and its task.
    ``said`` are the markers of our comments that stand.
    """

    verdict: CiVerdict = CiVerdict.WAITING
    words: str = ""
    sha: str = ""
    since: datetime | None = None
    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)
    said: tuple[str, ...] = ()
