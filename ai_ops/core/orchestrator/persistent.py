"""Steps that are tried again when what failed may pass by itself, with the wait in the task's state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from ai_ops.core import retry
from ai_ops.core.budgets import BUDGET_CODES
from ai_ops.core.orchestrator.failing import tell_wait
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.pausing import LIMIT_CODES
from ai_ops.core.ports import Outcome, Steps
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.task import Task, TaskState

log = logging.getLogger(__name__)

_LONG_SECONDS = 600.0
"""Whoever waits longer for money says what is known so far."""

_WAITED_OUT = LIMIT_CODES | BUDGET_CODES
"""A limit of the model's API, or of our money: it is waited for, however often it takes."""

_WAITING = frozenset({TaskState.WAITING_UNBAN, TaskState.RETRYING})


class Persistent:
    """Puts patience around another ``Steps``."""

    def __init__(self, tools: Tools, task: Task, steps: Steps) -> None:
        self._tools = tools
        self._task = task
        self._steps = steps

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Run a step; a temporary failure waits durably and tries again.

        Raises:
            PermanentError: the step's own; or the code of a temporary one that did not pass in time.
            CancelledError: nobody wants the result any more.
        """

        async def told() -> Outcome:
            try:
                return await work()
            except AiOpsError as failure:
                self._mask(failure)
                raise

        failures = limits = 0
        while True:
            try:
                return await self._steps.run(name, round, told)
            except TemporaryError as failure:
                limited = failure.code in _WAITED_OUT
                failures, limits = failures + (not limited), limits + limited
                decision = self._limit(failure, limits) if limited else self._failure(failure, failures)
                if not decision.retry:
                    raise PermanentError(
                        failure.code, failure.message, next_step=failure.next_step
                    ) from failure
                if failure.code in BUDGET_CODES and decision.delay_seconds > _LONG_SECONDS:
                    await self._tell(failure)
                await self._pause(
                    TaskState.WAITING_UNBAN if limited else TaskState.RETRYING, failure.code, decision
                )

    async def wait(self, seconds: float) -> None:
        """Wait durably."""
        await self._steps.wait(seconds)

    def _mask(self, failure: AiOpsError) -> None:
        """Mask a failure's words before anything keeps them: a remote may have said our own token back."""
        redact = self._tools.redact
        failure.message, failure.next_step = redact(failure.message), redact(failure.next_step)
        failure.args = (f"{failure.code}: {failure.message}",)

    async def _tell(self, failure: TemporaryError) -> None:
        """Return the diagnosis so far to people; that it cannot be mailed stops nothing."""
        try:
            await tell_wait(self._tools, self._task, failure.as_dict())
        except AiOpsError as untold:
            log.warning("no mail says what task %s waits with: %s", self._task.id, untold)

    def _failure(self, failure: TemporaryError, tries: int) -> retry.RetryDecision:
        rules = self._tools.policy.retries
        most = retry.tries_for(failure, rules)
        return retry.decide(failure, tries, spread=self._task.id, max_tries=most, rules=rules)

    def _limit(self, failure: TemporaryError, times: int) -> retry.RetryDecision:
        """Wait for the end of a limit. Waiting is no failed try: the run is never lost for it."""
        delay = retry.decide(failure, times, spread=self._task.id, max_tries=times + 1).delay_seconds
        return retry.RetryDecision(True, delay, f"{failure.code}: it goes on in {delay:g} s")

    async def _pause(self, state: TaskState, code: str, decision: retry.RetryDecision) -> None:
        tasks = self._tools.tasks
        task = await tasks.find(self._task.id)
        if task is not None and task.run_number != self._task.run_number:
            raise asyncio.CancelledError
        if task is not None and task.state is TaskState.PROCESSING:
            until = self._until(task, code, decision.delay_seconds)
            await tasks.move(
                task.id,
                state,
                only_run=task.run_number,
                outcome_reason=decision.reason,
                attempts=task.attempts + 1,
                waiting_for=code,
                waiting_until=until,
            )
        await self._steps.wait(decision.delay_seconds)
        task = await tasks.find(self._task.id)
        if task is None or task.run_number != self._task.run_number:
            raise asyncio.CancelledError
        if task.state in _WAITING:
            await tasks.move(
                task.id, TaskState.PROCESSING, outcome_reason="", waiting_for="", waiting_until=None
            )
        elif task.state is not TaskState.PROCESSING:
            raise asyncio.CancelledError

    def _until(self, task: Task, code: str, seconds: float) -> datetime:
        """Return when the wait is over; one that a restart broke off goes on with what was left of it."""
        now = self._tools.clock.now()
        until = now + timedelta(seconds=seconds)
        begun = task.waiting_until if task.waiting_for == code else None
        return begun if begun is not None and now < begun < until else until
