"""Our pull requests as their hosts have them: what became of each is recorded, and who must know is told.

Each code host has a lane of its own, so that one that is slow or down holds up no other. What must not be
missed is derived by the watchers from records, not from being called.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from ai_ops.core import retry
from ai_ops.core.orchestrator.together import together
from ai_ops.core.ports import CodeHost, PullRequests
from ai_ops.core.wording import one_line
from ai_ops.errors import AiOpsError, TemporaryError
from ai_ops.flow.pull_request import HostedPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository

log = logging.getLogger(__name__)

PAUSING = frozenset({"host_rate_limited", "host_unavailable", "dns_failed", "proxy_refused", "tls_failed"})
"""The failures after which a host is left alone for a while: they are not one pull request's own."""

_LONGEST_PAUSE = 3600.0  # seconds, whatever a host says
_EVER = 1_000_000  # tries: a host that is down is asked again for ever, every five minutes at last
_SPREAD = 0.2  # of the time between rounds: servers started together do not ask together


class Watcher(Protocol):
    """Wants to know how a pull request stands."""

    async def look(self, pull_request: PullRequest, hosted: HostedPullRequest) -> None:
        """Look at one of our pull requests: our record of it, brought up to date, and what the host says.

        Called again and again while it is open, once after it was merged or closed, and now and then while
        it stays closed. What it does is safe to repeat. Never called twice at a time for one pull request.
        """
        ...


class Watching:
    """Goes round our open pull requests. One that cannot be read is left for the next round.

    Args:
        pull_requests: our records.
        hosts: the code hosts by name.
        watchers: are asked in this order; each sees the record as the one before left it.
        sleep: waits.
    """

    def __init__(
        self,
        pull_requests: PullRequests,
        hosts: Mapping[str, CodeHost],
        watchers: Sequence[Watcher],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.looks: Counter[tuple[str, str]] = Counter()
        """How many looks there were since the start, by host and by outcome: ``done`` or ``failed``."""
        looking = _Looking(pull_requests, tuple(watchers), self.looks)
        self._lanes = [_Lane(name, host, pull_requests, looking, sleep) for name, host in hosts.items()]

    async def run(self, every_seconds: float = 60.0) -> None:
        """Go round until cancelled."""
        await together(*(lane.run(every_seconds) for lane in self._lanes))

    async def round(self) -> None:
        """Look at every open pull request once, and at one of those that were closed lately."""
        await together(*(lane.round() for lane in self._lanes))

    def nudge(self, pull_request_id: str) -> None:
        """Have one pull request looked at before all others, whatever its state; harmless when repeated.

        A look that fails for now is made again at the beginning of the next round.
        """
        for lane in self._lanes:
            lane.nudge(pull_request_id)

    @property
    def pauses(self) -> Mapping[str, float]:
        """How long each host that is left alone is still left alone, in seconds of its present pause."""
        return {lane.name: lane.paused for lane in self._lanes if lane.paused}


class _Lane:
    """The pull requests of one host, one after the other."""

    def __init__(
        self,
        name: str,
        host: CodeHost,
        pull_requests: PullRequests,
        looking: _Looking,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.name = name
        self.paused = 0.0
        self._host = host
        self._pull_requests = pull_requests
        self._looking = looking
        self._sleep = sleep
        self._nudged: dict[str, None] = {}
        self._unserved: dict[str, None] = {}  # asked for, but the look failed for now
        self._woken = asyncio.Event()
        self._failures = 0
        self._turn = 0

    def nudge(self, pull_request_id: str) -> None:
        self._nudged[pull_request_id] = None
        self._woken.set()

    async def run(self, every_seconds: float) -> None:
        while True:
            try:
                await self.round()
                await self._rest(every_seconds * (1 + _SPREAD * secrets.randbelow(1000) / 1000))
                continue
            except AiOpsError as failure:  # our own records do not answer
                log.warning("pull requests of %s: %s", self.name, failure)
            except Exception:  # a mistake of ours must end neither this lane nor the others
                log.exception("pull requests of %s: a round broke", self.name)
            await self._sleep(every_seconds)

    async def round(self) -> None:
        """Look at all that are open; those that were asked for come first, at any time."""
        self._nudged, self._unserved = self._unserved | self._nudged, {}
        for pull_request in await self._pull_requests.open():
            if pull_request.code_host == self.name:
                await self._serve()
                await self._look(pull_request)
        await self._serve()
        await self._look_at_a_closed_one()

    async def _look_at_a_closed_one(self) -> None:
        """Look at one in each round, in turn: a person may have opened it again, where no webhook says so."""
        closed = [one for one in await self._pull_requests.lately_closed() if one.code_host == self.name]
        if closed:
            self._turn += 1
            await self._look(closed[self._turn % len(closed)])

    async def _serve(self) -> None:
        """Look at those that were asked for; what belongs to another lane is not ours to look at.

        Each is tried once; one that fails for now waits for the next round, not for the next turn in this
        one. What fails otherwise is let go: it would stop every round at its beginning.
        """
        self._woken.clear()
        while self._nudged:
            wanted = next(iter(self._nudged))
            del self._nudged[wanted]  # before the look: asked for meanwhile, it is looked at once more
            try:
                found = await self._pull_requests.find(wanted)
            except TemporaryError:
                self._unserved[wanted] = None
                raise
            if found is not None and found.code_host == self.name and not await self._look(found):
                self._unserved[wanted] = None

    async def _rest(self, seconds: float) -> None:
        """Wait for the next round, and look meanwhile at what is asked for."""
        resting = asyncio.ensure_future(self._sleep(seconds))
        try:
            while not resting.done():
                woken = asyncio.ensure_future(self._woken.wait())
                try:
                    await asyncio.wait({resting, woken}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    woken.cancel()
                await self._serve()
        finally:
            resting.cancel()

    async def _look(self, known: PullRequest) -> bool:
        """Look at one, and say whether that is done with; a host that wants to be left alone then is."""
        try:
            done = await self._looking.look(known, self._host)
        except TemporaryError as failure:
            await self._pause(failure)
            return False
        self._failures = 0
        return done

    async def _pause(self, failure: TemporaryError) -> None:
        self._failures += 1
        decision = retry.decide(failure, self._failures, spread=self.name, max_tries=_EVER)
        self.paused = min(decision.delay_seconds, _LONGEST_PAUSE)
        log.warning("pull requests of %s wait %.0f s: %s", self.name, self.paused, failure)
        try:
            await self._sleep(self.paused)
        finally:
            self.paused = 0.0


class _Looking:
    """One look: what the host says is recorded, then each watcher is asked."""

    def __init__(
        self, pull_requests: PullRequests, watchers: Sequence[Watcher], looks: Counter[tuple[str, str]]
    ) -> None:
        self._pull_requests = pull_requests
        self._watchers = watchers
        self._looks = looks
        self._failing: dict[str, str] = {}  # said in the log once, not in every round

    async def look(self, known: PullRequest, host: CodeHost) -> bool:
        """Look at a pull request, and say whether that is done with: it went well, or failed for good.

        Raises:
            TemporaryError: one of ``PAUSING``.
        """
        failure = await self._failure(known, host)
        self._looks[known.code_host, "failed" if failure else "done"] += 1
        if failure is None:
            self._failing.pop(known.id, None)
            return True
        words = one_line(str(failure), 500)
        if self._failing.get(known.id) != words:
            self._failing[known.id] = words
            log.warning("pull request %s: %s", known.id, words)
        if isinstance(failure, TemporaryError) and failure.code in PAUSING:
            raise failure
        return not isinstance(failure, TemporaryError)

    async def _failure(self, known: PullRequest, host: CodeHost) -> Exception | None:
        """Look, and return what went wrong.

        A watcher that fails for good does not keep the others from looking; a failure that may pass does,
        because the next watchers would meet it too, or rely on what was not done.
        """
        failed: Exception | None = None
        try:
            known = await self._pull_requests.find(known.id) or known  # a round may take long
            repository = Repository(known.repo_key, known.repo_url, known.code_host)
            hosted = await host.pull_request(repository, known.number)
            if hosted.state is not known.state:
                known = await self._pull_requests.update(known.id, **as_recorded(hosted))
            for watcher in self._watchers:
                known = await self._pull_requests.find(known.id) or known
                try:
                    await watcher.look(known, hosted)
                except TemporaryError:
                    raise
                except AiOpsError as failure:
                    failed = failed or failure
        except AiOpsError as failure:
            return failure
        except Exception as failure:  # this loop is an edge: a mistake of ours must not end it
            log.exception("pull request %s cannot be looked at", known.id)
            return failure
        return failed


def as_recorded(hosted: HostedPullRequest) -> dict[str, Any]:
    """Return what is to be recorded of a pull request whose state is another one now."""
    changes: dict[str, Any] = {"state": hosted.state}
    if hosted.state is PullRequestState.MERGED:
        changes["merge_sha"] = hosted.merge_sha
        changes["expired_at"] = None  # we meant to close it, but a person was quicker
    if hosted.merged_at is not None:
        changes["merged_at"] = hosted.merged_at
    if hosted.closed_at is not None and hosted.state is PullRequestState.CLOSED:
        changes["closed_at"] = hosted.closed_at
    return changes
