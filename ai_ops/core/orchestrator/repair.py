"""One repair: checkout, triage, reproduce, fix, guard, verify; then it is published, withheld or left alone.

Every stage is a recorded step whose outcome is small JSON. Working patches and reports are kept byte
for byte beside the trace, so that the next step may run in another process.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from ai_ops.core.drafts import drafting
from ai_ops.core.failures import failed
from ai_ops.core.identity import fix_branch
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.fix import find_fix
from ai_ops.core.orchestrator.joining import join
from ai_ops.core.orchestrator.places import take_place
from ai_ops.core.orchestrator.project import load_project
from ai_ops.core.orchestrator.publish import Candidate, Commit, commit, is_publishable, publish, record
from ai_ops.core.orchestrator.records import (
    hosted_from_json,
    hosted_to_json,
    suspects_from_json,
    suspects_to_json,
)
from ai_ops.core.orchestrator.reporting import Findings, build_report, redacted_issue, send
from ai_ops.core.orchestrator.reproduce import find_reproduction
from ai_ops.core.orchestrator.scene import Job, Scene
from ai_ops.core.orchestrator.suspects import find_suspects
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.orchestrator.triage import leave, triage, withholds
from ai_ops.core.ports import Outcome, Steps
from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.flow.pull_request import HostedPullRequest, PullRequestState
from ai_ops.flow.repository import Base
from ai_ops.flow.suspects import Suspects
from ai_ops.flow.task import Proof, Task, TaskState


async def repair(tools: Tools, steps: Steps, task: Task, run_id: str) -> Ending:
    """Repair an issue, as far as the evidence carries."""
    job = await job_of(tools, steps, task, run_id)
    branch = fix_branch(task.fingerprint, task.episode)

    async def checkout() -> Outcome:
        return await _checkout(job, branch)

    start = await steps.run("checkout", 1, checkout)
    base = Base(**start["base"])
    if start["pull_request"]:
        return await _adopt(job, base, start["pull_request"])
    if start.get("no_place"):
        reason = f"no place for its pull request: {start['no_place']}; it begins by itself when there is room"
        return Ending(TaskState.NEEDS_HUMAN_REVIEW, reason, changes={"waiting_for": NO_PLACE})

    project = await load_project(tools, job.repository, base, job.error.language)
    suspects = suspects_from_json(start.get("suspects"))
    scene = Scene(tools, steps, task, job.issue, run_id, project, suspects)
    decision = await triage(scene)
    if withholds(decision, task):
        return await leave(scene, decision)
    findings = await investigate(scene)
    candidate = _candidate(scene, branch, findings)
    if not is_publishable(candidate, require_proof=tools.policy.require_proof):
        why = f"the fix is {findings.proof.verdict}" if findings.reproduction else "not reproduced"
        return await _withhold(job, candidate, why)
    committed = await commit(job, candidate)
    if committed.withheld:
        return await _withhold(job, candidate, committed.withheld, waiting_for=NO_PLACE)
    return await publish_or_join(job, candidate, committed)


async def publish_approved(tools: Tools, steps: Steps, task: Task, run_id: str) -> Ending:
    """Publish the change of an earlier run that a person approved. It stays marked as what it is."""
    job = await job_of(tools, steps, task, run_id)
    kept = await tools.trace.patch(str(task.payload.get("candidate_run", "")), "candidate")
    if kept is None:
        raise failed("candidate_lost")
    candidate = Candidate.from_json(kept)
    if not is_publishable(candidate, require_proof=False):
        raise failed(
            "not_publishable",
            f"a {candidate.findings.proof.verdict} change is not published, whoever asks",
        )
    return await publish_or_join(job, candidate, await commit(job, candidate, person_asked=True))


async def publish_or_join(job: Job, candidate: Candidate, committed: Commit) -> Ending:
    """Propose a change, unless the pull request of another error does so already."""
    if committed.joins:
        return await join(job, candidate.findings, committed.joins)
    return await publish(job, candidate, committed.sha)


async def job_of(tools: Tools, steps: Steps, task: Task, run_id: str) -> Job:
    """Return a run's job, of whatever kind its task is, with the issue masked.

    Raises:
        PermanentError: ``issue_not_found``.
    """
    issue = await tools.issues.find(task.issue_id or "")
    if issue is None:
        raise failed("issue_not_found", "the task's issue is no longer there")
    issue = await asyncio.to_thread(redacted_issue, issue, tools.redact)
    return Job(tools, steps, task, issue, run_id)


async def _checkout(job: Job, branch: str) -> Outcome:
    """Fetch the base, look whether the issue has its pull request, and take a place if it has none."""
    tools, repository = job.tools, job.repository
    await tools.sandbox.probe()  # nothing of the repository runs without isolation
    base = await tools.git.refresh(repository)
    known = await tools.host_of(repository).find_pull_request(repository, branch, base.branch)
    known = known or await _of_earlier_episode(job)
    no_place = "" if known else await take_place(job, branch, base.branch)
    suspects = Suspects()
    if known is None and not no_place:
        # A repository without tests, or without the tool for them, is said here, before money.
        project = await load_project(tools, repository, base, job.error.language)
        await tools.suites.check(project.plan)
        suspects = await find_suspects(job, project)
    return {
        "base": asdict(base),
        "pull_request": hosted_to_json(known) if known else None,
        "no_place": no_place,
        "suspects": suspects_to_json(suspects),
        "words": no_place or f"{base.branch} at {base.sha[:12]}",
    }


async def _of_earlier_episode(job: Job) -> HostedPullRequest | None:
    """Return the pull request of the last episode if it is open: a person may have opened it again."""
    tools, task = job.tools, job.task
    known = await tools.pull_requests.of_error(task.repo_key, task.fingerprint)
    last = next((each for each in known if each.episode < task.episode), None)
    if last is None:
        return None
    found = await tools.host_of(job.repository).find_pull_request(job.repository, last.branch, last.base)
    return found if found is not None and found.state is PullRequestState.OPEN else None


async def _adopt(job: Job, base: Base, known: dict[str, Any]) -> Ending:
    """End with the pull request that is there: open, merged, or closed by a person, who said no."""
    found = hosted_from_json(known)
    report = await build_report(job, Findings(Proof()))
    kept = await record(job, base, found, report)
    reasons = {
        PullRequestState.OPEN: "its pull request was open already",
        PullRequestState.MERGED: "its pull request was merged already",
        PullRequestState.CLOSED: "its pull request was closed unmerged: a person said no",
    }
    changes = {"pull_request_id": kept.id, "pr_url": kept.url}
    return Ending(TaskState.COMPLETED, reasons[found.state], kept.proof, changes)


async def investigate(scene: Scene) -> Findings:
    """Reproduce the error and repair it, and return what that gave."""
    where = await asyncio.to_thread(lambda: scene.where)
    reproduction = await find_reproduction(scene)
    if not reproduction.reproduced:
        return Findings(
            Proof(reproduction.verdict, reproduction.reasons),
            reproduction.words.cause,
            commands=reproduction.commands,
            tried=reproduction.tried,
            suspects=scene.suspects,
            where=where,
        )
    fix = await find_fix(scene, reproduction)
    return Findings(
        fix.proof,
        fix.words.cause or reproduction.words.cause,
        fix.words.summary,
        reproduction.commands + fix.commands,
        reproduction.paths,
        fix.patch,
        reproduction.tried + fix.tried,
        fix.bug_cases,
        scene.suspects,
        where,
    )


def _candidate(scene: Scene, branch: str, findings: Findings) -> Candidate:
    settings, until_green = scene.project.settings, scene.tools.policy.draft_until_green
    how = drafting(findings.proof.verdict, settings.draft, until_green=until_green)
    return Candidate(
        scene.project.base,
        branch,
        findings,
        draft=how.draft,
        ready_when_green=how.ready_when_green,
        labels=settings.labels,
        reviewers=settings.reviewers,
    )


async def _withhold(job: Job, candidate: Candidate, why: str, *, waiting_for: str = "") -> Ending:
    """End without a pull request: a person gets the diagnosis and the diff, which may be approved later.

    What waits for something is published by itself when that has come.
    """
    tools, task, findings = job.tools, job.task, candidate.findings
    changes: dict[str, Any] = {"waiting_for": waiting_for} if waiting_for else {}
    if findings.patch:
        await tools.trace.put_patch(job.run_id, "candidate", candidate.to_json())
        await tools.trace.put_artifact(job.run_id, "diff", findings.patch, "text/x-diff")
        changes["payload"] = {**task.payload, "candidate_run": job.run_id}
    first = findings.proof.reasons[0].text if findings.proof.reasons else ""
    reason = f"{why}: {first}" if first else why

    next_step = _next_step(job, candidate, waits=bool(waiting_for))

    async def notify() -> Outcome:
        report = await build_report(job, findings, diagnosis=reason, next_step=next_step)
        return await send(job, f"review:{task.id}:{task.run_number}", report)

    await job.steps.run("notify", 1, notify)
    return Ending(TaskState.NEEDS_HUMAN_REVIEW, reason, findings.proof, changes)


def _next_step(job: Job, candidate: Candidate, *, waits: bool) -> str:
    """Return what a person can do with a withheld change."""
    task = job.task.id
    if waits:
        return f"It is published by itself when there is room. To publish it now: ai-ops task approve {task}"
    if is_publishable(candidate, require_proof=False):
        return f"Read the change, then: ai-ops task approve {task} (publishes it), reject or retry."
    again, end = f"ai-ops task retry {task}", f"ai-ops task reject {task}"
    return f"Nothing of it can be published. To try again: {again}; to end it: {end}"
