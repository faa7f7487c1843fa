"""Event: one error as it happened, in the shape it has on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stack trace, outermost call first.

    ``line`` is 1-based and 0 where the trace does not name it. ``in_app`` is false for the standard
    library, installed packages and the runtime.
    """

    file: str
    line: int
    function: str
    in_app: bool = True


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """What went wrong. ``raw_excerpt`` is the joined record as it was logged, redacted.

    ``exception_type`` is the one that escaped; ``cause_types`` are those behind it, nearest first.
    ``earlier_fingerprints`` are what former grouping versions made of it, the newest first: an error that
    was known under one of them stays with its issue.
    """

    raw_excerpt: str
    language: str = ""
    exception_type: str = ""
    message: str = ""
    frames: tuple[Frame, ...] = ()
    fingerprint: str = ""
    grouping_version: str = ""
    earlier_fingerprints: tuple[str, ...] = ()
    cause_types: tuple[str, ...] = ()

    @property
    def root_type(self) -> str:
        """The type of the innermost cause; the exception's own when it has none."""
        return self.cause_types[-1] if self.cause_types else self.exception_type


@dataclass(frozen=True, slots=True)
class EventRepo:
    """The repository the error belongs to, as the agent was told."""

    repo_url: str
    code_host: str = ""
    default_branch: str = ""


@dataclass(frozen=True, slots=True)
class EventSource:
    """Where the record began: the file's path and the byte offset of its first line."""

    path: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One error, or ``count`` repeats of one error inside the de-duplication window.

    ``event_id`` is a UUIDv5 of node, file identity, offset and repository URL: the same record read twice
    has the same id. ``context`` holds the lines logged just before, redacted.
    """

    event_id: str
    occurred_at: datetime
    repo: EventRepo
    error: ErrorDetail
    node: str = ""
    service: str = ""
    environment: str = ""
    release: str = ""
    source: EventSource = field(default_factory=EventSource)
    level: str = ""
    context: tuple[str, ...] = ()
    count: int = 1
    schema_version: int = SCHEMA_VERSION
