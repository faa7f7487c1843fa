"""Pull requests that nobody looked at for long: each is told so once, and closed.

That is no person's word: the next time that its error happens, it may be repaired anew.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from ai_ops.core.orchestrator.watching import as_recorded
from ai_ops.core.ports import Clock, CodeHost, PullRequests, TaskFilter, Tasks
from ai_ops.core.requests import is_bot
from ai_ops.flow.follow_up import FollowUpReason
from ai_ops.flow.pull_request import HostedComment, HostedPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import UNFINISHED, Task, TaskKind

log = logging.getLogger(__name__)

_MOST_TASKS = 50


class Expiring:
    """Closes what is older than it may be. A ``Watcher``.

    Args:
        pull_requests: our records.
        tasks: where follow-ups are.
        hosts: the code hosts by name.
        clock: the time.
        days: how long a pull request may wait for a person; 0: for ever.
    """

    def __init__(
        self,
        pull_requests: PullRequests,
        tasks: Tasks,
        hosts: Mapping[str, CodeHost],
        clock: Clock,
        days: float,
    ) -> None:
        self._pull_requests = pull_requests
        self._tasks = tasks
        self._hosts = hosts
        self._clock = clock
        self._days = days

    async def look(self, pull_request: PullRequest, hosted: HostedPullRequest) -> None:
        """Close it if its time is over, and no person has taken part in it.

        That we close it is on record before it is done: found closed after a crash, it was us.
        """
        if hosted.state is not PullRequestState.OPEN or not self._is_old(pull_request):
            return
        host = self._hosts[pull_request.code_host]
        repository = Repository(pull_request.repo_key, pull_request.repo_url, pull_request.code_host)
        if await self._is_followed_up(pull_request) or await _somebody_cares(
            host, repository, pull_request, hosted
        ):
            if pull_request.expired_at is not None:
                await self._pull_requests.update(pull_request.id, expired_at=None)
            return
        if pull_request.expired_at is None:
            await self._pull_requests.update(pull_request.id, expired_at=self._clock.now())
        marker = f"ai-ops:expired:{pull_request.id}"
        await host.comment(repository, pull_request.number, _words(self._days), marker=marker)
        await host.close_pull_request(repository, pull_request.number)
        await self._record(pull_request, await host.pull_request(repository, pull_request.number))

    async def _record(self, pull_request: PullRequest, left: HostedPullRequest) -> None:
        """Record what became of it: a person may have merged it before we came to close it.

        One that is still open, as a host may say for a while, is left to the next look.
        """
        if left.state is PullRequestState.OPEN:
            return
        await self._pull_requests.update(pull_request.id, **as_recorded(left))
        if left.state is PullRequestState.CLOSED:
            log.info("pull request %s expired: nobody looked at it for %g days", pull_request.url, self._days)

    async def _is_followed_up(self, pull_request: PullRequest) -> bool:
        """Whether a person asked for something, which need not stand on the host, or we work on it now."""
        wanted = TaskFilter(kinds=(TaskKind.FOLLOW_UP,), pull_request_id=pull_request.id)
        return any(map(_counts, (await self._tasks.list(wanted, limit=_MOST_TASKS)).items))

    def _is_old(self, pull_request: PullRequest) -> bool:
        age = self._clock.now() - pull_request.created_at
        return self._days > 0 and age >= timedelta(days=self._days)


async def _somebody_cares(
    host: CodeHost, repository: Repository, known: PullRequest, hosted: HostedPullRequest
) -> bool:
    """Whether a person has taken part: by a commit, a comment, a review, or by opening it again."""
    if known.held or known.closed_at is not None or hosted.head_sha not in ("", known.head_sha):
        return True
    return any(map(_is_human, await host.comments(repository, known.number)))


def _counts(task: Task) -> bool:
    return task.state in UNFINISHED or task.payload.get("reason") == FollowUpReason.COMMENT


def _is_human(comment: HostedComment) -> bool:
    return not comment.ours and not is_bot(comment.author)


def _words(days: float) -> str:
    return (
        f"Nobody has commented on this pull request or added to it for {days:g} days: it is closed. If the "
        "error happens again, it is repaired anew on the code as it is then. To keep this one, open it again."
    )
