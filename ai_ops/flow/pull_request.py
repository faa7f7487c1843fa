"""PullRequest: a GitHub pull request, a GitLab merge request, or a local review."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ai_ops.flow.task import Proof


class PullRequestState(StrEnum):
    """As the host sees it; ``closed`` means closed without a merge: a person said no."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class NewPullRequest:
    """What is asked of a code host. ``body`` is Markdown made safe by ``core.report``."""

    branch: str
    base: str
    title: str
    body: str
    draft: bool = False
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostedPullRequest:
    """What a code host answered. ``adopted`` when it was already there."""

    number: int
    url: str
    state: PullRequestState
    branch: str
    base: str
    head_sha: str = ""
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Our record of it. Unique by (repo_key, branch).

    ``cause`` and ``summary`` are what its fixer said of them, masked.
    """

    id: str
    repo_key: str
    repo_url: str
    code_host: str
    number: int
    url: str
    state: PullRequestState
    branch: str
    base: str
    base_sha: str
    head_sha: str
    title: str
    body: str
    diff: str
    task_id: str
    run_id: str
    issue_id: str | None
    fingerprint: str
    episode: int
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    proof: Proof = field(default_factory=Proof)
    cause: str = ""
    summary: str = ""
