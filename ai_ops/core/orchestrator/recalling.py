"""Similar bugs of the past: looked up for one request, and put into words for the fixer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from ai_ops.core import bug_cases, context, diff
from ai_ops.core.orchestrator.scene import Job
from ai_ops.core.same_change import change_of, same
from ai_ops.core.similarity import likeness
from ai_ops.errors import PermanentError
from ai_ops.flow.bug_case import BugCase
from ai_ops.flow.pull_request import PullRequest


async def recall(job: Job) -> tuple[BugCase, ...]:
    """Return the cases that a fixer is shown, the most like it first; every text of them is masked anew."""
    tools, task = job.tools, job.task
    found = await bug_cases.closest(
        tools.bug_cases,
        likeness(job.error),
        task.repo_key,
        tools.policy.bug_case_reach,
        but=(job.issue.id, task.episode),
    )
    cases = await tools.bug_cases.find_all([match.bug.id for match in found.shown])
    return await asyncio.to_thread(lambda: tuple(_masked(case, tools.redact) for case in cases))


async def precedents(job: Job, ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a report says of cases, which is read by whoever may read this repository: only its own."""
    tools = job.tools
    own = [case for case in await tools.bug_cases.find_all(ids) if case.repo_key == job.task.repo_key]
    return tuple(
        f"{tools.redact(case.title)}: {context.became(case)}. See: ai-ops bug show {case.id}" for case in own
    )


def told(job: Job, cases: tuple[BugCase, ...]) -> tuple[str, ...]:
    """Return what the prompt says of them."""
    return context.past_repairs(cases, job.task.repo_key)


async def failed_fixes(job: Job) -> tuple[PullRequest, ...]:
    """Return the merged changes of earlier episodes that did not mend the error, masked anew."""
    tools = job.tools
    found = await tools.fix_watches.failed(job.issue.id, job.task.episode)
    return await asyncio.to_thread(lambda: tuple(replace(one, diff=tools.redact(one.diff)) for one in found))


def is_again(patch: str, base_sha: str, failed: Sequence[PullRequest]) -> PullRequest | None:
    """Return the change that did not mend the error and that a masked patch would make once more.

    New files do not count: a reproduction is written anew each time.
    """
    for one in failed:
        wanted = change_of(patch, base_sha, _new_files(patch))
        if same(wanted, change_of(one.diff, one.base_sha, _new_files(one.diff))):
            return one
    return None


def _new_files(patch: str) -> frozenset[str]:
    try:
        return frozenset(file.path for file in diff.parse(patch) if file.is_new)
    except PermanentError:
        return frozenset()


def _masked(case: BugCase, redact: Callable[[str], str]) -> BugCase:
    return replace(
        case,
        title=redact(case.title),
        cause=redact(case.cause),
        summary=redact(case.summary),
        diff=redact(case.diff),
    )
