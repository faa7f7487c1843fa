"""Our pull requests as their hosts have them: what became of each is recorded, and who must know is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ai_ops.core.ports import CodeHost, PullRequests
from ai_ops.errors import AiOpsError
from ai_ops.flow.pull_request import HostedPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Wants to know how a pull request stands."""

    async def look(self, pull_request: PullRequest, hosted: HostedPullRequest) -> None:
        """Look at one of our pull requests: our record of it, brought up to date, and what the host says.

        Called again and again while it is open, and once after it was merged or closed. What it does is
        safe to repeat.
        """
        ...


class Watching:
    """Goes round our open pull requests. One that cannot be read is left for the next round.

    Args:
        pull_requests: our records.
        hosts: the code hosts by name.
        watchers: are asked in this order.
    """

    def __init__(
        self, pull_requests: PullRequests, hosts: Mapping[str, CodeHost], watchers: Sequence[Watcher]
    ) -> None:
        self._pull_requests = pull_requests
        self._hosts = hosts
        self._watchers = watchers

    async def run(self, every_seconds: float = 60.0) -> None:
        """Go round until cancelled."""
        while True:
            try:
                await self.round()
            except AiOpsError as failure:
                log.warning("pull requests: %s", failure)
            await asyncio.sleep(every_seconds)

    async def round(self) -> None:
        """Look at every open pull request once."""
        for pull_request in await self._pull_requests.open():
            try:
                await self._look(pull_request)
            except AiOpsError as failure:
                log.warning("pull request %s: %s", pull_request.id, failure)

    async def _look(self, known: PullRequest) -> None:
        host = self._hosts.get(known.code_host)
        if host is None:
            return
        repository = Repository(known.repo_key, known.repo_url, known.code_host)
        hosted = await host.pull_request(repository, known.number)
        if hosted.state is not known.state:
            known = await self._pull_requests.update(known.id, **as_recorded(hosted))
        for watcher in self._watchers:
            await watcher.look(known, hosted)


def as_recorded(hosted: HostedPullRequest) -> dict[str, Any]:
    """Return what is to be recorded of a pull request whose state is another one now."""
    changes: dict[str, Any] = {"state": hosted.state}
    if hosted.state is PullRequestState.MERGED:
        changes["merge_sha"] = hosted.merge_sha
    if hosted.merged_at is not None:
        changes["merged_at"] = hosted.merged_at
    if hosted.closed_at is not None and hosted.state is PullRequestState.CLOSED:
        changes["closed_at"] = hosted.closed_at
    return changes
