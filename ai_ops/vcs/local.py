"""The ``CodeHost`` port without a host: a plain git remote, and pull requests that are our own records.

The orchestrator records every pull request under an id that follows from repository and branch; this
host gives out the number and the address that belong to that id, so both name the same thing.
"""

from __future__ import annotations

from uuid import UUID

from ai_ops.core.identity import pull_request_id
from ai_ops.core.ports import Git, PullRequests
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository


class LocalHost:
    """Pull requests in our own store, reviewed and merged by the API.

    The address of one is a path of this server; ``core.links`` makes a link of it where it is shown.

    Args:
        pull_requests: the records.
        git: reaches the remote.
    """

    def __init__(self, pull_requests: PullRequests, git: Git) -> None:
        self._pull_requests = pull_requests
        self._git = git

    async def find_pull_request(
        self, repository: Repository, branch: str, base: str
    ) -> HostedPullRequest | None:
        """Return the pull request of a head branch in any state."""
        found = await self._pull_requests.find_by_branch(repository.key, branch)
        if found is None or found.base != base:
            return None
        return HostedPullRequest(
            number=found.number,
            url=found.url,
            state=found.state,
            branch=found.branch,
            base=found.base,
            head_sha=found.head_sha,
            adopted=True,
        )

    async def open_pull_request(self, repository: Repository, wanted: NewPullRequest) -> HostedPullRequest:
        """Return the pull request that the branch has, or the one it is to be recorded as."""
        found = await self.find_pull_request(repository, wanted.branch, wanted.base)
        if found is not None:
            return found
        head = await self._git.remote_branch(repository, wanted.branch)
        base = await self._git.remote_branch(repository, wanted.base)
        if head is None or base is None or head == base:
            raise PermanentError(
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
            raise PermanentError("host_not_found", "there is no such pull request")
        if recorded.state is PullRequestState.CLOSED:
            raise PermanentError(
                "host_conflict", "the pull request was closed", next_step="Open the issue again instead."
            )
        title = f"Merge pull request #{recorded.number}\n\n{recorded.title}"
        sha = await self._git.merge(repository, recorded.branch, recorded.base, title, head=recorded.head_sha)
        await self._pull_requests.set_state(recorded.id, PullRequestState.MERGED)
        return sha

    async def check(self) -> str:
        """Say that there is no host to reach."""
        return "local: pull requests are kept by this server"


def _number(identity: str) -> int:
    """Return a number for people that follows from the id: 28 bits, never 0."""
    return (UUID(identity).int >> 100) or 1
