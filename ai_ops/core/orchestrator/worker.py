"""What the engine calls for a run: moves the task along its states, and names every failure."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ai_ops.core.identity import fix_branch, run_id, task_branch
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.failing import fail, held, mail_of_held, warn
from ai_ops.core.orchestrator.follow_up import follow_up
from ai_ops.core.orchestrator.money import cost_of
from ai_ops.core.orchestrator.persistent import Persistent
from ai_ops.core.orchestrator.prompt import prompt
from ai_ops.core.orchestrator.repair import publish_approved, repair
from ai_ops.core.orchestrator.reporting import redacted
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Steps
from ai_ops.core.telling import told
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.run import Run
from ai_ops.flow.task import Task, TaskKind, TaskState

log = logging.getLogger(__name__)


class Worker:
    """The entry of the orchestrator."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def __call__(self, task_id: str, run_number: int, steps: Steps) -> None:
        """Work on one run of a task until it has ended, one way or the other.

        Raises:
            TemporaryError: our own tables do not answer; called again, it goes on.
            CancelledError: a person cancelled the task, or the server stops.
        """
        tools = self._tools
        task = await tools.tasks.find(task_id)
        if task is None or task.run_number != run_number:
            return
        run = run_id(task_id, run_number)
        await tools.trace.run_started(Run(run, task_id, run_number, tools.clock.now()))
        task = await self._begin(task, run)
        try:
            result: Ending | PermanentError = await self._work(task, run, Persistent(tools, task, steps))
        except PermanentError as failure:
            result = failure
        finally:
            await self._settle(task, run)
        await self._finish(task, run, result)

    async def fail(self, task: Task, failure: Mapping[str, str]) -> None:
        """Fail a task whose run broke outside of our hands; the engine calls it."""
        await fail(self._tools, task, failure)

    async def _begin(self, task: Task, run: str) -> Task:
        """Say that the task is being worked on; after a crash it says so already."""
        verb = "begins" if task.state is TaskState.PENDING else "goes on"
        log.info("task %s: run %d %s; its trace is %s", task.id, task.run_number, verb, run)
        await self._tools.ledger.settle_lost(run)
        if task.state is TaskState.PROCESSING:
            return await self._tools.tasks.update(task.id, trace_id=run)
        return await self._tools.tasks.move(
            task.id, TaskState.PROCESSING, only_run=task.run_number, trace_id=run
        )

    async def _work(self, task: Task, run: str, steps: Steps) -> Ending:
        if task.kind is TaskKind.PROMPT:
            return await prompt(self._tools, steps, task, run)
        if task.kind is TaskKind.FOLLOW_UP:
            return await follow_up(self._tools, steps, task, run)
        if task.action == "publish":
            return await publish_approved(self._tools, steps, task, run)
        return await repair(self._tools, steps, task, run)

    async def _settle(self, task: Task, run: str) -> None:
        """Remove the run's folder, which every step makes anew, and say what was spent, however it ended."""
        tools = self._tools
        try:
            await tools.workspaces.discard(run)
            await tools.tasks.update(task.id, cost_usd=await cost_of(tools, task))
        except (AiOpsError, OSError):
            log.exception("run %s is not settled", run)  # it takes the place of no result and no failure

    async def _finish(self, task: Task, run: str, result: Ending | PermanentError) -> None:
        """Commit how it ended."""
        tools = self._tools
        if isinstance(result, PermanentError):
            await fail(tools, task, result.as_dict())
        else:
            await self._end(task, result)
        current = await tools.tasks.find(task.id)
        if current is None or current.run_number != task.run_number:
            return  # whoever began the later run sees to the end of this one
        if current.state.final or current.state is TaskState.NEEDS_HUMAN_REVIEW:
            # One that was paused just before its end goes on with this very run.
            await tools.trace.run_ended(run, current.state)

    async def _end(self, task: Task, ending: Ending) -> None:
        tools, reason = self._tools, self._tools.redact(ending.reason)
        changes, mail = {"waiting_for": "", **ending.changes}, None
        if ending.held:
            changes["failure"] = held(tools, task, ending.held)
            mail = await mail_of_held(tools, task, changes["failure"])
        try:
            await tools.tasks.move(
                task.id,
                ending.state,
                mail=mail,
                only_run=task.run_number,
                outcome_reason=reason,
                proof=redacted(ending.proof, tools.redact),
                **changes,
            )
        except PermanentError as refused:
            # A person was faster: the task was cancelled meanwhile, or is in its next run.
            log.info("task %s: %s", task.id, refused)
            return
        if task.kind is TaskKind.REPAIR:  # a failed run's place is looked after before it is given back
            await tools.places.release(task.repo_key, fix_branch(task.fingerprint, task.episode))
        elif task.payload.get("pull_request"):
            await tools.places.release(task.repo_key, task_branch(task.id, task.run_number))
        if ending.state is TaskState.NEEDS_HUMAN_REVIEW:
            rule = ending.proof.reasons[0].rule if ending.proof.reasons else "withheld"
            warn(task, ending.state, rule, reason)
        else:
            where = await _proposed(tools, ending)
            log.info("task %s ended as %s: %s%s", task.id, ending.state, told(reason), where)


async def _proposed(tools: Tools, ending: Ending) -> str:
    """Return which pull request a run ended with, for the log: its id, its branch, and its link on a host."""
    found = await tools.pull_requests.find(ending.changes.get("pull_request_id") or "")
    if found is None:
        return ""
    at = f", {found.url}" if "://" in found.url else ""  # a local one is looked at by its id
    return told(tools.redact(f"; pull request {found.id} on branch {found.branch}{at}"))
