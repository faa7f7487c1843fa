"""BugCase: an issue that was closed, with what was done about it, kept for the next error like it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.task import Proof


class BugCaseOutcome(StrEnum):
    """``merged``: our change was taken. ``closed``: a person refused it. ``resolved``: mended without it."""

    MERGED = "merged"
    CLOSED = "closed"
    RESOLVED = "resolved"


class Reach(StrEnum):
    """Whose cases may be shown where a repository is repaired: its own, its owner's, or everybody's."""

    REPOSITORY = "repository"
    OWNER = "owner"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Likeness:
    """What is compared of an error, free of whatever varies between two occurrences.

    ``types`` are the short names of the exception that escaped and of its causes, nearest first;
    ``template`` is the message without its values; ``calls`` are ``file:function`` of the application's
    frames, outermost first.
    """

    fingerprint: str = ""
    types: tuple[str, ...] = ()
    template: str = ""
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BugCase:
    """One episode of an issue that came to an end. Unique by (issue, episode).

    All text is masked. ``diff`` is that of the pull request, empty when there was none; ``resolved`` says
    whether the issue was resolved in this episode and still is; ``recurrences`` counts how often the error
    came back after that. Money in US dollars.
    """

    id: str
    repo_key: str
    repo_url: str
    issue_id: str
    episode: int
    fingerprint: str
    title: str
    error: ErrorDetail
    likeness: Likeness
    outcome: BugCaseOutcome
    created_at: datetime
    updated_at: datetime
    cause: str = ""
    summary: str = ""
    diff: str = ""
    proof: Proof = field(default_factory=Proof)
    resolved: bool = False
    recurrences: int = 0
    last_recurred_at: datetime | None = None
    task_id: str | None = None
    pull_request_id: str | None = None
    pr_url: str = ""
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class KnownBug:
    """Of a case, what a search compares and weighs, and no more: many are looked at and few are shown."""

    id: str
    repo_key: str
    issue_id: str
    episode: int
    title: str
    likeness: Likeness
    outcome: BugCaseOutcome
    resolved: bool
    recurrences: int
    updated_at: datetime
