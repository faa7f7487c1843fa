"""Two errors, one fix: a change that is proposed already is not proposed again, it is joined."""

from __future__ import annotations

import asyncio

from ai_ops.core import markdown
from ai_ops.core.failures import failed
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.reporting import Findings
from ai_ops.core.orchestrator.scene import Job
from ai_ops.core.orchestrator.watching import as_recorded
from ai_ops.core.ports import Outcome
from ai_ops.core.same_change import Change, change_of, same
from ai_ops.core.wording import counted
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.repository import Base
from ai_ops.flow.task import TaskState, Verdict

_NO_FIX = (Verdict.REFUTED, Verdict.BLOCKED)


async def proposed_already(job: Job, base: Base, branch: str, findings: Findings) -> PullRequest | None:
    """Return the open pull request of another error that makes the same change, or None."""
    others = [
        other
        for other in await job.tools.pull_requests.open_in(job.repository.key)
        if other.branch != branch and other.base == base.branch and other.proof.verdict not in _NO_FIX
    ]
    if not others:
        return None
    alike = await asyncio.to_thread(_alike, job, base, findings, others)
    for other in alike:
        if await _is_open(job, other):
            return other
    return None


async def join(job: Job, findings: Findings, pull_request_id: str) -> Ending:
    """End with the pull request of another error, which is told there once that it mends this one too."""
    tools, task = job.tools, job.task

    async def work() -> Outcome:
        other = await tools.pull_requests.find(pull_request_id)
        if other is None:
            raise failed("pull_request_not_found")
        host, marker = tools.host_of(job.repository), f"ai-ops:also:{job.issue.id}:{task.episode}"
        await host.comment(job.repository, other.number, _words(job), marker=marker)
        await tools.tasks.update(task.id, pull_request_id=other.id, pr_url=other.url)
        return {"id": other.id, "url": other.url, "words": f"joined {other.url}"}

    joined = await job.steps.run("join", 1, work)
    changes = {"pull_request_id": joined["id"], "pr_url": joined["url"]}
    reason = "the same change is proposed already, for another error"
    return Ending(TaskState.COMPLETED, reason, findings.proof, changes)


def _alike(job: Job, base: Base, findings: Findings, others: list[PullRequest]) -> list[PullRequest]:
    # Records are masked, so this side is too.
    own = change_of(job.tools.redact(findings.patch), base.sha, findings.reproduction)
    return [other for other in others if same(own, _change_of(other))]


def _change_of(other: PullRequest) -> Change:
    return change_of(other.diff, other.base_sha, other.reproduction)


async def _is_open(job: Job, known: PullRequest) -> bool:
    """Ask the host: what a person closed there is joined by nobody."""
    try:
        hosted = await job.tools.host_of(job.repository).pull_request(job.repository, known.number)
    except PermanentError as gone:
        if gone.code != "host_not_found":
            raise
        return False
    if hosted.state is not known.state:
        await job.tools.pull_requests.update(known.id, **as_recorded(hosted))
    return hosted.state is PullRequestState.OPEN


def _words(job: Job) -> str:
    issue, url = job.issue, job.tools.policy.public_url
    seen = f"seen {counted(issue.count, 'time')}"
    link = f"\n\n{url}/v1/issues/{issue.id}" if url else ""
    return (
        f"This change also fixes another error: {markdown.text(issue.title)} ({seen}). A test that fails "
        f"with that error before the change passes after it, so no second pull request is opened.{link}"
    )
