"""CI of our branches: what it says is recorded, and what follows from it is done once.

A draft is made ready, a failure of the fix is followed up within limits, one of the base is said to be so,
and a branch that conflicts or lacks what its base mended gets the base merged in. Every effect rests on the
record or on the host: a look that is cut short or repeated does none of them twice.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from ai_ops.core import checks as rules
from ai_ops.core import ci_words as words
from ai_ops.core.checks import BaseChecks, CiDecision
from ai_ops.core.follow_ups import under_way, wish
from ai_ops.core.identity import is_of_task, is_revert
from ai_ops.core.orchestrator.holding import let_go
from ai_ops.core.orchestrator.saying import say_once
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import CodeHost, Engine
from ai_ops.core.telling import queued
from ai_ops.errors import PermanentError
from ai_ops.flow.ci import CiStatus, CiVerdict
from ai_ops.flow.follow_up import FollowUp, FollowUpAction, FollowUpReason
from ai_ops.flow.pull_request import Checks, CheckState, HostedPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task, TaskState

log = logging.getLogger(__name__)

MOST_MERGES = 5
"""How often the base is merged into one branch: after that a person is told."""


_ACTIONS = {
    FollowUpReason.CHECKS: FollowUpAction.REVISE,
    FollowUpReason.BASE_MOVED: FollowUpAction.MERGE,
}


class CiWatch:
    """A watcher of what CI says.

    Args:
        tools: the ports; ``tools.policy`` says how long CI is awaited and how often it is repaired.
        engine: where follow-ups are queued.
    """

    def __init__(self, tools: Tools, engine: Engine) -> None:
        self._tools = tools
        self._engine = engine

    async def look(self, pull_request: PullRequest, hosted: HostedPullRequest) -> None:
        """Look at the checks of our head, and act. What is held, or followed up just now, is left alone."""
        if pull_request.state is not PullRequestState.OPEN or pull_request.held:
            return
        pull_request = await self._draft(pull_request, hosted)
        if hosted.head_sha != pull_request.head_sha or await under_way(self._tools.tasks, pull_request.id):
            return
        one = _One(self._tools, self._engine, pull_request, hosted)
        await one.act(await one.judge())

    async def _draft(self, pull_request: PullRequest, hosted: HostedPullRequest) -> PullRequest:
        """Record what people made of the draft. Once it is ready we never ask for that again."""
        known = (pull_request.draft, pull_request.ready_when_green)
        now = (hosted.draft, pull_request.ready_when_green and hosted.draft)
        if known == now:
            return pull_request
        return await self._tools.pull_requests.update(pull_request.id, draft=now[0], ready_when_green=now[1])


class _One:
    """One look at one pull request; ``pull_request`` is the record as it is now."""

    def __init__(
        self, tools: Tools, engine: Engine, pull_request: PullRequest, hosted: HostedPullRequest
    ) -> None:
        self._tools = tools
        self._engine = engine
        self._hosted = hosted
        self.pull_request = pull_request

    @property
    def _repository(self) -> Repository:
        known = self.pull_request
        return Repository(known.repo_key, known.repo_url, known.code_host)

    @property
    def _host(self) -> CodeHost:
        return self._tools.host_of(self._repository)

    async def judge(self) -> CiDecision:
        """Ask what CI says of our head, and of the base where that matters; keep it and return it."""
        head, now = self.pull_request.head_sha, self._tools.clock.now()
        status = self.pull_request.ci
        if status.sha != head:
            status = CiStatus(sha=head, since=now, asked=status.asked, said=status.said)
        ours = await self._host.checks(self._repository, head)
        late = now - (status.since or now) >= timedelta(seconds=self._tools.policy.ci_wait_seconds)
        base = await self._base() if rules.settled(ours, late=late) else None
        decision = rules.judge(ours, base, late=late, passed_before=status.passed)
        status = replace(
            status,
            verdict=decision.verdict,
            words=self._tools.redact(decision.words),
            passed=rules.seen(ours, CheckState.PASSED, status.passed),
            failed=rules.seen(ours, CheckState.FAILED, status.failed),
        )
        if status != self.pull_request.ci:
            await self._keep(status)
        return decision

    async def _base(self) -> BaseChecks:
        newest = await self._newest_base() or self.pull_request.base_sha
        began = self.pull_request.base_sha or newest  # of one that a failed run left it may not be known
        at = await self._host.checks(self._repository, newest)
        before: Checks = at if newest == began else await self._host.checks(self._repository, began)
        return BaseChecks(began, before, newest, at)

    async def _newest_base(self) -> str | None:
        return await self._tools.git.remote_branch(self._repository, self.pull_request.base)

    async def _keep(self, status: CiStatus) -> None:
        self.pull_request = await self._tools.pull_requests.update(self.pull_request.id, ci=status)

    async def act(self, decision: CiDecision) -> None:
        """Do what follows."""
        if self._hosted.conflicts and await self._conflicts():
            await self._merge(words.CONFLICTS)
            return
        head = self.pull_request.head_sha
        match decision.verdict:
            case CiVerdict.GREEN:
                await self._make_ready()
            case CiVerdict.UNKNOWN:
                if self.pull_request.ready_when_green:
                    await self._say(f"ci-unknown:{head}", words.unknown(self._tools.policy.ci_wait_seconds))
            case CiVerdict.OURS:
                await self._repair(decision)
            case CiVerdict.STALE:
                await self._merge(words.stale(decision))
            case CiVerdict.THEIRS:
                await self._say(f"ci-theirs:{head}", words.theirs(decision))
            case CiVerdict.FLAPPING:
                await self._say(f"ci-flapping:{head}", words.flapping(decision))
            case CiVerdict.WAITING:
                pass

    async def _make_ready(self) -> None:
        if self.pull_request.ready_when_green and not await self._taken():
            await self._host.update_pull_request(self._repository, self.pull_request.number, draft=False)
            await self._tools.pull_requests.update(self.pull_request.id, draft=False, ready_when_green=False)

    async def _taken(self) -> bool:
        """Ask the remote before anything is done to the branch: a host may not have heard of a push yet."""
        head = await self._tools.git.remote_branch(self._repository, self.pull_request.branch)
        return await let_go(self._tools, self.pull_request, head or "")

    async def _conflicts(self) -> bool:
        """Ask git as well: what a host says of a branch that just moved may be of before."""
        newest = await self._newest_base()
        if newest is None:
            return False
        try:
            await self._tools.git.merged(self._repository, self.pull_request.head_sha, newest)
        except PermanentError as failure:
            return failure.code == "merge_conflict"
        return False

    async def _repair(self, decision: CiDecision) -> None:
        """Have what fails repaired, once for a head and what fails there, and a few times for all."""
        head = self.pull_request.head_sha
        wanted = rules.wish(FollowUpReason.CHECKS, head, *(check.name for check in decision.checks))
        limit = self._tools.policy.ci_repair_rounds
        if wanted in self.pull_request.ci.asked:
            return  # its answer stands on the pull request
        if self._number(FollowUpReason.CHECKS) >= limit:
            await self._say(f"ci-left:{self.pull_request.id}", words.left(decision, limit))
            return
        await self._ask(FollowUpReason.CHECKS, wanted, await self._printed(decision))

    async def _merge(self, why: str) -> None:
        """Have the base merged into the branch, once for a head and a commit of the base."""
        newest = await self._newest_base()
        if newest is None:
            return
        wanted = rules.wish(FollowUpReason.BASE_MOVED, self.pull_request.head_sha, newest)
        if wanted in self.pull_request.ci.asked:
            return
        if self._number(FollowUpReason.BASE_MOVED) >= MOST_MERGES:
            await self._say(f"base-left:{self.pull_request.id}", words.merges_left(MOST_MERGES))
            return
        await self._ask(FollowUpReason.BASE_MOVED, wanted, why)

    def _number(self, reason: FollowUpReason) -> int:
        return sum(key.startswith(f"{reason}:") for key in self.pull_request.ci.asked)

    async def _ask(self, reason: FollowUpReason, wanted: str, request: str) -> None:
        """Create the follow-up and queue it. The record remembers it; its key would find it again."""
        if is_revert(self.pull_request.branch) or await self._taken():
            return  # of a revert nothing can be proved, so a run could only fail
        if is_of_task(self.pull_request.branch) and _ACTIONS[reason] is not FollowUpAction.REVISE:
            return  # what a task wrote is revised, and its base is a person's to merge
        asked = FollowUp(self.pull_request.id, reason, request, wanted, _ACTIONS[reason])
        task = await wish(self._tools.tasks, self.pull_request, asked)
        if task is None:
            return  # another one was made meanwhile; at a later look
        status = self.pull_request.ci
        await self._keep(replace(status, asked={**status.asked, wanted: task.id}))
        await self._enqueue(task)

    async def _enqueue(self, task: Task) -> None:
        if task.state is TaskState.PENDING:
            log.info("%s", queued(task, self._tools.redact))
            await self._engine.enqueue(task)

    async def _printed(self, decision: CiDecision) -> str:
        """Return the ends of the logs of what fails, masked."""
        logs = []
        for check in decision.checks[: words.MOST_LOGS]:
            log_end = await self._host.check_log(self._repository, check)
            logs.append((check, self._tools.redact(log_end)))
        return words.request(decision, logs, self._tools.redact)

    async def _say(self, marker: str, body: str) -> None:
        self.pull_request = await say_once(self._tools, self.pull_request, marker, body)
