"""Where pull requests live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ai_ops.flow.pull_request import (
    Check,
    Checks,
    HostedComment,
    HostedPullRequest,
    NewPullRequest,
    PullRequest,
)
from ai_ops.flow.repository import Repository


class CodeHost(Protocol):
    """Where pull requests live.

    Codes: ``host_unauthorized`` (401), ``host_forbidden`` (403), ``host_not_found`` (404),
    ``host_scope_missing``, ``host_archived`` (403 too), ``host_empty_repository``, ``host_conflict`` (409),
    ``host_rejected`` (422), ``host_rate_limited`` (temporary),
    ``host_unavailable`` (temporary: 5xx, refused, timeout), ``host_bad_answer``.
    """

    async def find_pull_request(
        self, repository: Repository, branch: str, base: str
    ) -> HostedPullRequest | None:
        """Return the newest pull request of a head branch in any state; an open one first."""
        ...

    async def open_pull_request(self, repository: Repository, wanted: NewPullRequest) -> HostedPullRequest:
        """Open a pull request, or adopt the one that the branch already has."""
        ...

    async def merge_pull_request(self, repository: Repository, pull_request: PullRequest) -> str:
        """Merge and return the merge commit. Hosts where people merge refuse with ``merge_on_host``."""
        ...

    async def pull_request(self, repository: Repository, number: int) -> HostedPullRequest:
        """Return a pull request as it is now.

        Raises:
            PermanentError: ``host_not_found``.
        """
        ...

    async def update_pull_request(
        self, repository: Repository, number: int, *, body: str | None = None, draft: bool | None = None
    ) -> None:
        """Change its text, or make a draft ready and a ready one a draft; what is None stays."""
        ...

    async def close_pull_request(self, repository: Repository, number: int) -> None:
        """Close it unmerged; one that is closed or merged stays as it is."""
        ...

    async def request_reviewers(
        self, repository: Repository, number: int, logins: Sequence[str]
    ) -> tuple[str, ...]:
        """Ask people (``@org/team``: a team) for a review, and return those that the host accepted.

        One that it refuses does not keep the others out. People who are asked already are not told again.
        """
        ...

    async def comments(
        self, repository: Repository, number: int, since: datetime | None = None
    ) -> Sequence[HostedComment]:
        """Return what was written on a pull request at or after ``since``, oldest first, all kinds."""
        ...

    async def comment(
        self, repository: Repository, number: int, body: str, *, marker: str, reply_to: str = ""
    ) -> HostedComment:
        """Write a comment, as an answer in a thread where ``reply_to`` names one.

        ``marker`` is hidden in it: written again after a crash, the comment that bears it is returned.
        """
        ...

    async def checks(self, repository: Repository, sha: str) -> Checks:
        """Return how CI stands on a commit."""
        ...

    async def check_log(self, repository: Repository, check: Check) -> str:
        """Return the end of a check's log as text, at most 64 KiB; empty where there is none to read."""
        ...

    async def may_write(self, repository: Repository, login: str) -> bool:
        """Whether an account may push to the repository."""
        ...

    async def login_of(self, repository: Repository, sha: str, email: str) -> str:
        """Return the account of a commit's author; empty where the host knows none."""
        ...

    async def own_login(self, repository: Repository) -> str:
        """Return the account that we act as."""
        ...

    async def check(self) -> str:
        """Reach the host, for ``doctor``; a short description, or a failure."""
        ...
