"""How a run fails: the task's state, the one mail that says so to people, and a line in the log.

A run that waits long for money tells what it has found in the same way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from ai_ops.core.diagnosis import diagnose
from ai_ops.core.failures import alert_of, failed
from ai_ops.core.identity import run_id
from ai_ops.core.links import absolute
from ai_ops.core.orchestrator.money import cost_of
from ai_ops.core.orchestrator.reporting import redacted_issue
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.report import Report
from ai_ops.core.telling import told
from ai_ops.errors import PermanentError
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.health import Severity
from ai_ops.flow.issue import Issue
from ai_ops.flow.notification import Notification
from ai_ops.flow.run import Step
from ai_ops.flow.task import Priority, Proof, Task, TaskState

log = logging.getLogger(__name__)


async def fail(
    tools: Tools, task: Task, failure: Mapping[str, str], *, to: TaskState = TaskState.FAILED
) -> None:
    """Move a task to ``failed``; its mail enters the outbox with the same commit, so it is sent once or not.

    Args:
        tools: what the run worked with.
        task: the task, in the run that failed.
        failure: ``{"code", "message", "next_step"}``.
        to: ``needs_human_review`` where a person has to say whether it is tried again.
    """
    words = {name: tools.redact(text) for name, text in failure.items()}
    reason = f"{words['code']}: {words['message']}"
    mail = await _mail(tools, task, words)
    try:
        await tools.tasks.move(
            task.id, to, mail=mail, only_run=task.run_number, outcome_reason=reason, failure=words
        )
    except PermanentError as refused:
        # A person was faster: the task was cancelled meanwhile, or is in its next run.
        log.info("task %s: %s", task.id, refused)
        return
    warn(task, to, words["code"], words["message"])


def warn(task: Task, state: TaskState, code: str, reason: str) -> None:
    """Say in one line of the log that a person is wanted, and why."""
    level = logging.ERROR if alert_of(code) is Severity.P1 else logging.WARNING
    log.log(level, "task %s ended as %s (%s): %s", task.id, state, code, told(reason))


def held(tools: Tools, task: Task, found: str) -> dict[str, str]:
    """Return what the task says while ``found``, a rule and its command, waits for a person's decision."""
    unblock = f"ai-ops security unblock {task.id} --role reviewer --reason WHY"
    step = f"{unblock} lets exactly this go on; or reject the task"
    return failed("command_held", tools.redact(found), next_step=step).as_dict()


async def mail_of_held(tools: Tools, task: Task, failure: Mapping[str, str]) -> Notification | None:
    """Return the mail that asks for a decision about a command, to be committed with the task's move."""
    return await _mail(tools, task, failure, held=True)


async def _mail(
    tools: Tools, task: Task, failure: Mapping[str, str], *, held: bool = False
) -> Notification | None:
    recipients = tools.policy.recipients
    if not recipients:
        return None
    try:
        report = replace(await _report(tools, task, failure), held=held)
        key = f"{'held' if held else 'failed'}:{task.id}:{task.run_number}"
        return tools.mailroom.render(key, report, recipients, tools.clock.now())
    except Exception:
        log.exception("no mail says how task %s ended", task.id)
        return None


async def tell_wait(tools: Tools, task: Task, failure: Mapping[str, str]) -> None:
    """Tell people what a run has found that waits for money, once; nothing while there is nothing to tell.

    Args:
        tools: what the run works with.
        task: the task, in the run that waits.
        failure: the spent budget, as for ``fail``.
    """
    found = diagnose(await tools.trace.steps(run_id(task.id, task.run_number)))
    if not found or not tools.policy.recipients:
        return
    words = {name: tools.redact(text) for name, text in failure.items()}
    report = replace(await _report(tools, task, words), waits=True)
    key = f"waits:{task.id}:{task.run_number}"
    await tools.outbox.put(tools.mailroom.render(key, report, tools.policy.recipients, tools.clock.now()))


async def _report(tools: Tools, task: Task, failure: Mapping[str, str]) -> Report:
    """Return what is known of a run that failed or waits."""
    task = await tools.tasks.find(task.id) or task
    issue = await tools.issues.find(task.issue_id) if task.issue_id else None
    run, url = run_id(task.id, task.run_number), tools.policy.public_url
    steps = await tools.trace.steps(run)
    found = diagnose(steps)
    report = Report(
        title=f"Task {tools.redact(str(task.payload.get('name') or task.id))}",
        error=ErrorDetail(""),
        proof=Proof(),
        failure_code=failure["code"],
        failure=failure["message"],
        next_step=failure["next_step"] or "Look into the trace, then retry the task.",
        cause=found.cause,
        reproduction=found.reproduction,
        tried=found.tried,
        progress=tuple(_told(step) for step in steps),
        cost_usd=await cost_of(tools, task),
        trace_id=run,
        trace_url=f"{url}/v1/traces/{run}" if url else "",
        task_id=task.id,
        task_url=f"{url}/v1/tasks/{task.id}" if url else "",
        pr_url=absolute(task.pr_url, url),
        urgent=task.priority is Priority.URGENT or alert_of(failure["code"]) is Severity.P1,
    )
    return report if issue is None else await asyncio.to_thread(_about, tools, report, issue)


def _about(tools: Tools, report: Report, issue: Issue) -> Report:
    """Add what the issue says."""
    sample = redacted_issue(issue, tools.redact).sample
    return replace(
        report,
        title=issue.title,
        issue_id=issue.id,
        error=sample.error,
        occurrences=issue.count,
        service=sample.service,
        environment=sample.environment,
        release=sample.release,
    )


def _told(step: Step) -> str:
    words = (step.failure or {}).get("message") or str((step.output or {}).get("words", ""))
    name = step.name if step.round <= 1 else f"{step.name} ({step.round})"
    return f"{name}: {step.state}" + (f", {words}" if words else "")
