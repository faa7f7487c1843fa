"""The bug library, and what it is listed by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ai_ops.core.ports.records import Page
from ai_ops.flow.bug_case import BugCase, BugCaseOutcome, KnownBug, Likeness, Reach


@dataclass(frozen=True, slots=True)
class BugCaseFilter:
    """What ``GET /v1/bug-cases`` narrows by; empty means any. ``fingerprint`` may be a beginning."""

    repo_key: str = ""
    exception_type: str = ""
    fingerprint: str = ""
    outcomes: tuple[BugCaseOutcome, ...] = ()


class BugCases(Protocol):
    """The bug library. Cases are made where issues and pull requests are closed, by the same commit."""

    async def find(self, case_id: str) -> BugCase | None:
        """Return a case."""
        ...

    async def find_all(self, ids: Sequence[str]) -> Sequence[BugCase]:
        """Return these cases in this order; ids that are not there are left out."""
        ...

    async def list(
        self, wanted: BugCaseFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page[BugCase]:
        """Return cases, newest first."""
        ...

    async def alike(self, wanted: Likeness, repo_key: str, *, owner: str, reach: Reach) -> Sequence[KnownBug]:
        """Return cases that share something with an error: fingerprint, place, message or type.

        Of each kind the newest fifty of its repository, and as many of those that ``reach`` allows; so
        the work does not grow with the library.
        """
        ...
