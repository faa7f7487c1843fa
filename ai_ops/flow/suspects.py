"""Suspects: the commits that may have brought an error, as far as a repository's history tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SuspectCommit:
    """A commit with its author's name and time. ``places`` are the trace's lines that it touched last.

    A place is ``file:line``.
    """

    sha: str
    author: str
    at: datetime
    subject: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SuspectRelease:
    """The release since which an error is seen, and the one before it; both are commits.

    ``number`` are all commits between them, ``commits`` the newest of those that touch the trace's files,
    or of all where none does.
    """

    before: str
    after: str
    number: int
    commits: tuple[SuspectCommit, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspects:
    """Who touched the trace's lines last, innermost line first, and what came with the release."""

    commits: tuple[SuspectCommit, ...] = ()
    release: SuspectRelease | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.commits or self.release)
