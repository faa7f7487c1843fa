"""The ``CodeHost`` port without a host: a plain git remote, and pull requests that are our own records.

The orchestrator records every pull request under an id that follows from repository and branch; this
host gives out the number and the address that belong to that id, so both name the same thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from ai_ops.core.failures import failed
from ai_ops.core.identity import pull_request_id
from ai_ops.core.ports import Comments, Git, PullRequests
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import (
    Check,
    Checks,
    CheckState,
    HostedComment,
    HostedPullRequest,
    NewPullRequest,
    PullRequest,
    PullRequestState,
)
from ai_ops.flow.repository import Repository

OWN_LOGIN = "ai-ops"


class LocalHost:
    """Pull requests in our own store, reviewed and merged by the API.

    The address of one is a path of this server; ``core.links`` makes a link of it where it is shown.

    There is no CI here, and nobody has an account: comments come through the API of this server.

    Args:
        pull_requests: the records.
        comments: what is written on them.
        git: reaches the remote.
    """

    def __init__(self, pull_requests: PullRequests, comments: Comments, git: Git) -> None:
        self._pull_requests = pull_requests
        self._comments = comments
        self._git = git

    async def find_pull_request(
        self, repository: Repository, branch: str, base: str
    ) -> HostedPullRequest | None:
        """Return the pull request of a head branch in any state."""
        found = await self._pull_requests.find_by_branch(repository.key, branch)
        if found is None or found.base != base:
            return None
        return _hosted(found)

    async def open_pull_request(self, repository: Repository, wanted: NewPullRequest) -> HostedPullRequest:
        """Return the pull request that the branch has, or the one it is to be recorded as."""
        found = await self.find_pull_request(repository, wanted.branch, wanted.base)
        if found is not None:
            return found
        head = await self._git.remote_branch(repository, wanted.branch)
        base = await self._git.remote_branch(repository, wanted.base)
        if head is None or base is None or head == base:
            raise failed(
                "host_rejected",
                f"there is nothing to merge from {wanted.branch} into {wanted.base}",
                next_step="Push the branch first.",
            )
        identity = pull_request_id(repository.key, wanted.branch)
        return HostedPullRequest(
            number=_number(identity),
            url=f"/v1/pull-requests/{identity}",
            state=PullRequestState.OPEN,
            branch=wanted.branch,
            base=wanted.base,
            head_sha=head,
        )

    async def merge_pull_request(self, repository: Repository, pull_request: PullRequest) -> str:
        """Merge on the remote, record it, and return the merge commit; done again, return the same.

        Raises:
            PermanentError: ``host_conflict`` when it was closed; else as ``Git.merge``.
        """
        recorded = await self._pull_requests.find(pull_request.id)
        if recorded is None:
            raise failed("host_not_found", "there is no such pull request")
        if recorded.state is PullRequestState.CLOSED:
            raise failed(
                "host_conflict", "the pull request was closed", next_step="Open the issue again instead."
            )
        title = f"Merge pull request #{recorded.number}\n\n{recorded.title}"
        sha = await self._git.merge(repository, recorded.branch, recorded.base, title, head=recorded.head_sha)
        await self._pull_requests.update(recorded.id, state=PullRequestState.MERGED, merge_sha=sha)
        return sha

    async def pull_request(self, repository: Repository, number: int) -> HostedPullRequest:
        """Return a pull request as it is now: while it is open, its head is what the branch holds."""
        found = await self._numbered(repository, number)
        if found.state is not PullRequestState.OPEN:
            return _hosted(found)
        head = await self._git.remote_branch(repository, found.branch) or ""
        base = await self._git.remote_branch(repository, found.base) or ""
        conflicts = bool(head and base) and await self._conflict(repository, head, base)
        return replace(_hosted(found), head_sha=head, conflicts=conflicts)

    async def update_pull_request(
        self, repository: Repository, number: int, *, body: str | None = None, draft: bool | None = None
    ) -> None:
        """Change its text, or make it a draft or ready; what is None stays."""
        found = await self._numbered(repository, number)
        wanted = {"body": body, "draft": draft}
        changes = {name: value for name, value in wanted.items() if value is not None}
        if changes:
            await self._pull_requests.update(found.id, **changes)

    async def close_pull_request(self, repository: Repository, number: int) -> None:
        """Close it unmerged; one that is closed or merged stays as it is."""
        found = await self._numbered(repository, number)
        if found.state is PullRequestState.OPEN:
            await self._pull_requests.set_state(found.id, PullRequestState.CLOSED)

    async def request_reviewers(
        self, repository: Repository, number: int, logins: Sequence[str]
    ) -> tuple[str, ...]:
        """Accept nobody: a local pull request has no accounts; its reviewers are told by mail."""
        return ()

    async def comments(
        self, repository: Repository, number: int, since: datetime | None = None
    ) -> Sequence[HostedComment]:
        """Return what was written on a pull request at or after ``since``, oldest first."""
        found = await self._numbered(repository, number)
        return await self._comments.of(found.id, since)

    async def comment(
        self, repository: Repository, number: int, body: str, *, marker: str, reply_to: str = ""
    ) -> HostedComment:
        """Write a comment; the same ``marker`` returns the one already written."""
        found = await self._numbered(repository, number)
        return await self._comments.add(found.id, OWN_LOGIN, body, ours=True, key=marker, thread=reply_to)

    async def checks(self, repository: Repository, sha: str) -> Checks:
        """Say that there is no CI."""
        return Checks(CheckState.NONE)

    async def check_log(self, repository: Repository, check: Check) -> str:
        """Say that there is no CI."""
        return ""

    async def may_write(self, repository: Repository, login: str) -> bool:
        """Whoever may write a comment here holds a key of this server that may review."""
        return True

    async def login_of(self, repository: Repository, sha: str, email: str) -> str:
        """Nobody has an account here."""
        return ""

    async def own_login(self, repository: Repository) -> str:
        """Return the name that our comments bear."""
        return OWN_LOGIN

    async def check(self) -> str:
        """Say that there is no host to reach."""
        return "local: pull requests are kept by this server"

    async def _conflict(self, repository: Repository, head: str, base: str) -> bool:
        try:
            await self._git.merged(repository, head, base)
        except PermanentError as failure:
            if failure.code == "git_commit_missing":  # it moved on while we looked
                return False
            if failure.code in ("merge_conflict", "unrelated_history"):
                return True
            raise
        return False

    async def _numbered(self, repository: Repository, number: int) -> PullRequest:
        """Return the record of a number, which follows from its id."""
        found = await self._pull_requests.find_by_number(repository.key, number)
        if found is None:
            raise failed("host_not_found", f"{repository.key} has no pull request #{number}")
        return found


def _hosted(found: PullRequest) -> HostedPullRequest:
    return HostedPullRequest(
        number=found.number,
        url=found.url,
        state=found.state,
        branch=found.branch,
        base=found.base,
        head_sha=found.head_sha,
        adopted=True,
        merge_sha=found.merge_sha,
        author=OWN_LOGIN,
        draft=found.draft,
        merged_at=found.merged_at,
        closed_at=found.closed_at,
        body=found.body,
    )


def _number(identity: str) -> int:
    """Return a number for people that follows from the id: 28 bits, never 0."""
    return (UUID(identity).int >> 100) or 1
