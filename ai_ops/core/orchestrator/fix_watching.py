"""Watches over merged fixes: looks at what was logged since, and does what the watch concludes.

What a watch concludes is one commit (``FixWatches``). What goes to the code host follows from that record, so
a server that is killed in between does it at the next round, and the host is told once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from ai_ops.core.failures import failed
from ai_ops.core.fix_watch import Facts, assess
from ai_ops.core.links import absolute
from ai_ops.core.orchestrator.reporting import redacted_issue
from ai_ops.core.orchestrator.reverting import propose
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Engine
from ai_ops.core.report import Report
from ai_ops.core.telling import queued, told
from ai_ops.core.wording import sentences
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.fix_watch import FixWatch, WatchState
from ai_ops.flow.issue import Issue
from ai_ops.flow.notification import Notification
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Proof

log = logging.getLogger(__name__)


class FixWatching:
    """Goes round the watches. One that cannot be looked at now is left for the next round.

    Args:
        tools: what it works with.
        engine: takes the repairs of errors that came back.
        grace: how long after a merge a build of which nothing is known is taken to hold it.
        reverts: whether a revert is proposed by a pull request too.
    """

    def __init__(self, tools: Tools, engine: Engine, *, grace: timedelta, reverts: bool = False) -> None:
        self._tools = tools
        self._watches = tools.fix_watches
        self._engine = engine
        self._grace = grace
        self._reverts = reverts

    async def run(self, every_seconds: float = 30.0) -> None:
        """Go round until cancelled."""
        while True:
            try:
                await self.round()
            except AiOpsError as failure:
                log.warning("fix watch: %s", failure)
            await asyncio.sleep(every_seconds)

    async def round(self) -> None:
        """Look at every watch once, and propose the reverts that are due."""
        await self._watches.begin()
        for watch in await self._watches.due():
            try:
                await self._look(watch)
            except AiOpsError as failure:
                log.warning("fix watch of pull request %s: %s", watch.pull_request_id, failure)
        for watch in await self._watches.unproposed():
            try:
                await self._propose(watch)
            except AiOpsError as failure:
                log.warning("revert of pull request %s: %s", watch.pull_request_id, failure)

    async def _look(self, before: FixWatch) -> None:
        pull_request = await self._pull_request(before)
        watch = before if before.merge_sha else await self._named(before, pull_request)
        facts = await self._watches.facts(watch)
        holds = await self._holds(watch, facts, pull_request)
        after = assess(watch, facts, holds, self._tools.clock.now(), self._grace)
        if after.state is WatchState.RESOLVED and before.state is not WatchState.RESOLVED:
            if await self._watches.resolve(before, after, await self._mail(after, pull_request)):
                log.info("fix watch: issue %s is resolved: %s", after.issue_id, told(after.reason))
        elif after.state is WatchState.RECURRED:
            await self._recurred(before, after, pull_request)
        elif after != before:
            await self._watches.keep(before, after)

    async def _named(self, watch: FixWatch, pull_request: PullRequest) -> FixWatch:
        """Return a watch with its merge commit, which a merge that was only noticed has not on record."""
        host = self._tools.hosts.get(pull_request.code_host)
        if host is None:
            return watch
        try:
            hosted = await host.pull_request(_repository(pull_request), pull_request.number)
        except PermanentError as failure:
            log.warning("the merge commit of pull request %s is not known: %s", pull_request.id, failure)
            return watch
        return replace(watch, merge_sha=hosted.merge_sha, merged_at=hosted.merged_at or watch.merged_at)

    async def _holds(
        self, watch: FixWatch, facts: Facts, pull_request: PullRequest
    ) -> Mapping[str, bool | None]:
        """Ask git which of the builds hold the merge commit, each once."""
        if not watch.merge_sha:
            return {}
        known = dict(await self._watches.builds(watch))
        for release in facts.releases:
            if release not in known:
                found = await self._tools.builds.holds(_repository(pull_request), release, watch.merge_sha)
                await self._watches.remember(watch, release, found)
                known[release] = found
        return known

    async def _recurred(self, before: FixWatch, after: FixWatch, pull_request: PullRequest) -> None:
        tasks = await self._watches.recur(before, after, await self._mail(after, pull_request))
        if tasks is None:
            return
        log.warning("fix watch: issue %s is open again: %s", after.issue_id, told(after.reason))
        for task in tasks:
            log.info("%s", queued(task, self._tools.redact))
            await self._engine.enqueue(task)

    async def _propose(self, watch: FixWatch) -> None:
        url = ""
        try:
            pull_request = await self._pull_request(watch)
            url = await propose(self._tools, watch, pull_request, opens=self._reverts)
        except PermanentError as failure:  # it would be the same at every round
            log.warning("revert of pull request %s: %s", watch.pull_request_id, failure)
        await self._watches.proposed(watch, url)

    async def _pull_request(self, watch: FixWatch) -> PullRequest:
        found = await self._tools.pull_requests.find(watch.pull_request_id)
        if found is None:
            raise failed("pull_request_not_found")
        return found

    async def _mail(self, watch: FixWatch, pull_request: PullRequest) -> Notification | None:
        """Return the mail that says what a watch has concluded."""
        tools = self._tools
        issue = await tools.issues.find(watch.issue_id)
        if issue is None or not tools.policy.recipients:
            return None
        issue = await asyncio.to_thread(redacted_issue, issue, tools.redact)
        report = _report(watch, pull_request, issue, tools.policy.public_url)
        report = replace(report, news=tools.redact(report.news))
        key = f"fix_watch:{watch.pull_request_id}:{watch.issue_id}:{watch.state}"
        return tools.mailroom.render(key, report, tools.policy.recipients, tools.clock.now())


def _repository(pull_request: PullRequest) -> Repository:
    return Repository(pull_request.repo_key, pull_request.repo_url, pull_request.code_host)


def _report(watch: FixWatch, pull_request: PullRequest, issue: Issue, public_url: str) -> Report:
    holds = watch.state is WatchState.RESOLVED
    news, step = "The merged fix holds, and its issue is resolved", ""
    if not holds:
        news = "The merged fix did not hold, and its issue is open again"
        step = "The pull request says how to take the change back. A new repair leaves it out."
    sample = issue.sample
    return Report(
        title=issue.title,
        lead="Resolved" if holds else "Came back",
        news=sentences(f"{news}: {watch.reason}"),
        next_step=step,
        error=sample.error,
        proof=Proof(),
        occurrences=issue.count,
        service=sample.service,
        environment=sample.environment,
        release=watch.recurred_release or sample.release,
        trace_id=pull_request.run_id,
        trace_url=f"{public_url}/v1/traces/{pull_request.run_id}" if public_url else "",
        pr_url=absolute(pull_request.url, public_url),
        issue_id=issue.id,
    )
