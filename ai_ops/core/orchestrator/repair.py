"""One repair: checkout, triage, reproduce, fix, guard, verify; then it is published or withheld.

Every stage is a recorded step whose outcome is small JSON. Working patches and reports are kept byte
for byte beside the trace, so that the next step may run in another process.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from ai_ops.core.identity import fix_branch, pull_request_id
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.fix import Fix, find_fix
from ai_ops.core.orchestrator.project import load_project
from ai_ops.core.orchestrator.publish import Candidate, publish, send
from ai_ops.core.orchestrator.records import proof_from_json, proof_to_json
from ai_ops.core.orchestrator.reporting import Findings, build_report
from ai_ops.core.orchestrator.reproduce import find_reproduction
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome, Steps
from ai_ops.errors import PermanentError
from ai_ops.flow.issue import Issue
from ai_ops.flow.pull_request import HostedPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.task import Proof, Task, TaskState, Verdict


async def repair(tools: Tools, steps: Steps, task: Task, run_id: str) -> Ending:
    """Repair an issue, as far as the evidence carries."""
    issue = await _issue(tools, task)
    repository = Repository(task.repo_key, task.repo_url, task.code_host)
    branch = fix_branch(task.fingerprint, task.episode)

    async def checkout() -> Outcome:
        return await _checkout(tools, repository, branch)

    start = await steps.run("checkout", 1, checkout)
    base = Base(**start["base"])
    if start["pull_request"]:
        return await _adopt(tools, task, issue, repository, base, run_id, start["pull_request"])

    async def triage() -> Outcome:
        decision = issue.triage
        return {
            "triage_class": decision.triage_class,
            "repair": decision.repair,
            "reason": decision.reason,
            "words": f"{decision.triage_class}: {decision.reason}",
        }

    await steps.run("triage", 1, triage)
    project = await load_project(tools, repository, base)
    scene = Scene(tools, steps, task, issue, run_id, project)
    reproduction = await find_reproduction(scene)
    if not reproduction.reproduced:
        proof = Proof(Verdict.UNPROVED, reproduction.reasons)
        return await _withhold(scene, Findings(proof, reproduction.words.cause), "not reproduced")
    fix = await find_fix(scene, reproduction)
    findings = Findings(
        fix.proof,
        fix.words.cause or reproduction.words.cause,
        fix.words.summary,
        reproduction.commands + fix.commands,
        reproduction.paths,
        fix.patch,
    )
    verdict = fix.proof.verdict
    wanted = verdict is Verdict.PROVED or (verdict is Verdict.UNPROVED and not tools.policy.require_proof)
    full = wanted and await _too_many_open(scene)
    if wanted and not full:
        return await _publish(scene, branch, findings)
    await _keep_candidate(scene, fix, findings, branch)
    return await _withhold(scene, findings, full or f"the fix is {verdict}", candidate=bool(fix.patch))


async def publish_approved(tools: Tools, steps: Steps, task: Task, run_id: str) -> Ending:
    """Publish the change of an earlier run that a person approved. It stays marked as what it is."""
    issue = await _issue(tools, task)
    kept = await tools.trace.patch(str(task.payload.get("candidate_run", "")), "candidate")
    if kept is None:
        raise PermanentError(
            "candidate_lost", "the approved change is no longer there", next_step="Retry the task."
        )
    value = json.loads(kept)
    repository = Repository(task.repo_key, task.repo_url, task.code_host)
    findings = Findings(
        proof_from_json(value["proof"]),
        value["cause"],
        value["summary"],
        tuple(value["commands"]),
        tuple(value["reproduction"]),
        value["patch"],
    )
    scene = Scene(tools, steps, task, issue, run_id, None)
    base = Base(**value["base"])
    return await _publish(scene, value["branch"], findings, repository=repository, base=base)


async def _issue(tools: Tools, task: Task) -> Issue:
    issue = await tools.issues.find(task.issue_id or "")
    if issue is None:
        raise PermanentError("issue_not_found", "the task's issue is no longer there")
    return issue


async def _checkout(tools: Tools, repository: Repository, branch: str) -> Outcome:
    """Fetch the base, and look whether the issue has its pull request already."""
    await tools.sandbox.probe()  # nothing of the repository runs without isolation
    base = await tools.git.refresh(repository)
    host = tools.host_of(repository)
    known = await host.find_pull_request(repository, branch, base.branch)
    if known is None:
        await load_project(tools, repository, base)  # a repository without tests is said here, before money
    return {
        "base": {"sha": base.sha, "branch": base.branch},
        "pull_request": asdict(known) if known else None,
        "words": f"{base.branch} at {base.sha[:12]}",
    }


async def _adopt(
    tools: Tools,
    task: Task,
    issue: Issue,
    repository: Repository,
    base: Base,
    run_id: str,
    known: dict[str, object],
) -> Ending:
    """End with the pull request that is there: open, merged, or closed by a person, who said no."""
    found = HostedPullRequest(**(known | {"state": PullRequestState(str(known["state"]))}))  # type: ignore[arg-type]
    now = tools.clock.now()
    report = build_report(tools, task, issue, run_id, Findings(Proof()))
    record = await tools.pull_requests.record(
        PullRequest(
            id=pull_request_id(repository.key, found.branch),
            repo_key=repository.key,
            repo_url=repository.url,
            code_host=repository.code_host,
            number=found.number,
            url=found.url,
            state=found.state,
            branch=found.branch,
            base=found.base,
            base_sha=base.sha,
            head_sha=found.head_sha,
            title=report.title,
            body="",
            diff="",
            task_id=task.id,
            run_id=run_id,
            issue_id=task.issue_id,
            fingerprint=task.fingerprint,
            episode=task.episode,
            created_at=now,
            updated_at=now,
        )
    )
    reasons = {
        PullRequestState.OPEN: "its pull request is open already",
        PullRequestState.MERGED: "its pull request is merged already",
        PullRequestState.CLOSED: "its pull request was closed unmerged: a person said no",
    }
    return Ending(
        TaskState.COMPLETED,
        reasons[found.state],
        record.proof,
        {"pull_request_id": record.id, "pr_url": record.url},
    )


async def _publish(
    scene: Scene,
    branch: str,
    findings: Findings,
    *,
    repository: Repository | None = None,
    base: Base | None = None,
) -> Ending:
    tools, project = scene.tools, scene.project
    report = build_report(tools, scene.task, scene.issue, scene.run_id, findings)
    settings = project.settings if project else None
    proved = findings.proof.verdict is Verdict.PROVED
    candidate = Candidate(
        repository=repository or scene.repository,
        base=base or scene.base,
        branch=branch,
        patch=findings.patch,
        reproduction=findings.reproduction,
        report=report,
        draft=not proved or bool(settings and settings.draft),
        labels=settings.labels if settings else (),
        reviewers=settings.reviewers if settings else (),
    )
    published = await publish(tools, scene.steps, scene.task, scene.run_id, candidate)
    return Ending(
        TaskState.COMPLETED,
        f"pull request {published.state}: {published.url}",
        findings.proof,
        {"pull_request_id": published.pull_request_id, "pr_url": published.url},
    )


async def _too_many_open(scene: Scene) -> str:
    """Return why no further pull request is opened here now, or an empty string."""
    limit = scene.tools.policy.max_open_pull_requests
    if await scene.tools.pull_requests.count_open(scene.repository.key) < limit:
        return ""
    return f"{limit} pull requests of ours are open in this repository (MAX_OPEN_PULL_REQUESTS)"


async def _keep_candidate(scene: Scene, fix: Fix, findings: Findings, branch: str) -> None:
    """Keep what a person may approve later."""
    value = {
        "base": {"sha": scene.base.sha, "branch": scene.base.branch},
        "branch": branch,
        "patch": fix.patch,
        "proof": proof_to_json(findings.proof),
        "cause": findings.cause,
        "summary": findings.summary,
        "commands": list(findings.commands),
        "reproduction": list(findings.reproduction),
    }
    await scene.tools.trace.put_patch(scene.run_id, "candidate", json.dumps(value))
    await scene.tools.trace.put_artifact(scene.run_id, "diff", fix.patch, "text/x-diff")


async def _withhold(scene: Scene, findings: Findings, why: str, *, candidate: bool = False) -> Ending:
    """End without a pull request: a person gets the diagnosis and the diff."""
    tools, task = scene.tools, scene.task
    first = findings.proof.reasons[0].text if findings.proof.reasons else ""
    reason = f"{why}: {first}" if first else why
    report = build_report(tools, task, scene.issue, scene.run_id, findings, diagnosis=reason)

    async def notify() -> Outcome:
        return await send(tools, f"review:{task.id}:{task.run_number}", report)

    await scene.steps.run("notify", 1, notify)
    changes = {"payload": {**task.payload, "candidate_run": scene.run_id}} if candidate else {}
    return Ending(TaskState.NEEDS_HUMAN_REVIEW, reason, findings.proof, changes)
