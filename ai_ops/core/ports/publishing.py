"""What is kept of pull requests: which there are, the room for more, and what was said on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ai_ops.core.ports.records import Page
from ai_ops.flow.pull_request import HostedComment, PullRequest, PullRequestState
from ai_ops.flow.task import Task


class PullRequests(Protocol):
    """Our records of pull requests."""

    async def record(self, pull_request: PullRequest) -> PullRequest:
        """Insert, or return the record with the same (repo_key, branch)."""
        ...

    async def find(self, pull_request_id: str) -> PullRequest | None:
        """Return a pull request."""
        ...

    async def find_by_branch(self, repo_key: str, branch: str) -> PullRequest | None:
        """Return the pull request of a branch."""
        ...

    async def find_by_number(self, repo_key: str, number: int) -> PullRequest | None:
        """Return the pull request that the host gave this number."""
        ...

    async def list(
        self, *, states: Collection[PullRequestState] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[PullRequest]:
        """Return pull requests, newest first; no states: of any."""
        ...

    async def states(self, ids: Collection[str]) -> Mapping[str, PullRequestState]:
        """Return what became of these, as far as we know; ids that are not there are left out."""
        ...

    async def set_state(self, pull_request_id: str, state: PullRequestState) -> PullRequest:
        """Record what became of it."""
        ...

    async def update(self, pull_request_id: str, **changes: Any) -> PullRequest:
        """Change fields other than those that name it, as a revision does."""
        ...

    async def issues_of(self, pull_request_id: str) -> Sequence[tuple[str, int]]:
        """Return the issues, each with its episode, that a pull request is to mend."""
        ...

    async def of_error(self, repo_key: str, fingerprint: str) -> Sequence[PullRequest]:
        """Return the pull requests of an error in all its episodes, the newest first."""
        ...

    async def open(self) -> Sequence[PullRequest]:
        """Return those of ours that are open, as far as we know, oldest first."""
        ...

    async def open_in(self, repo_key: str) -> Sequence[PullRequest]:
        """Return those of ours that are open in a repository, as far as we know, oldest first."""
        ...

    async def lately_closed(self) -> Sequence[PullRequest]:
        """Return those closed unmerged within a month, oldest first: a person may open one again."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Room for one pull request: that of a branch of a repository, onto ``base``. ``task_id`` wants it."""

    repo_key: str
    branch: str
    base: str
    task_id: str


class Places(Protocol):
    """Who may open a pull request. Taken durably before any of it is public, so no limit is ever passed."""

    async def take(self, place: Place, *, beyond_limits: bool = False) -> str:
        """Take a place, or return why there is none now. The branch that has one keeps it.

        ``beyond_limits``: a person asked for this very one.
        """
        ...

    async def release(self, repo_key: str, branch: str) -> None:
        """Give a place back, unless its pull request is there, or its task works."""
        ...

    async def left(self) -> Sequence[Place]:
        """Return the places whose task has ended, and whose pull request is not among our records."""
        ...

    async def release_waiting(self) -> Sequence[Task]:
        """Let repairs go on that waited for a place, the oldest first, while there is room; to enqueue."""
        ...


class Comments(Protocol):
    """What is written on local pull requests; hosts keep their own."""

    async def add(
        self, pull_request_id: str, author: str, body: str, *, ours: bool, key: str, thread: str = ""
    ) -> HostedComment:
        """Keep a comment; the same ``key`` returns the one already kept.

        Raises:
            PermanentError: ``pull_request_not_found``.
        """
        ...

    async def of(self, pull_request_id: str, since: datetime | None = None) -> Sequence[HostedComment]:
        """Return those of a pull request written at or after ``since``, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class SeenComment:
    """A comment that was looked at; ``done`` when nothing is left to be done about it."""

    created_at: datetime
    done: bool


class SeenComments(Protocol):
    """Which comments on our pull requests were looked at, on hosts and local ones."""

    async def of(self, pull_request_id: str) -> Mapping[str, SeenComment]:
        """Return those of a pull request, by the id of the comment."""
        ...

    async def put(self, pull_request_id: str, comment: HostedComment, *, done: bool) -> None:
        """Remember one; said again, the later word counts."""
        ...


class Deliveries(Protocol):
    """Which webhooks came before."""

    async def is_new(self, sender: str, delivery_id: str) -> bool:
        """Remember a delivery, and return whether it had not come before."""
        ...
