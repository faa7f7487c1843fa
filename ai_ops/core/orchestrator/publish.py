"""Commit, push, open the pull request, notify: the steps that have effects outside.

Each looks before it creates, so that entering it again after a crash finds what is already there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ai_ops.core import report as words
from ai_ops.core.identity import pull_request_id
from ai_ops.core.links import absolute
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.records import (
    proof_from_json,
    proof_to_json,
    suspects_from_json,
    suspects_to_json,
)
from ai_ops.core.orchestrator.reporting import Findings, build_report, send
from ai_ops.core.orchestrator.scene import Job
from ai_ops.core.ports import Outcome
from ai_ops.core.publishable import publishable
from ai_ops.core.report import Report
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Base
from ai_ops.flow.task import TaskState


@dataclass(frozen=True, slots=True)
class Candidate:
    """A judged change that may be published, now or after a person's approval."""

    base: Base
    branch: str
    findings: Findings
    draft: bool = False
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    ready_when_green: bool = False

    def to_json(self) -> str:
        """Return it as JSON text."""
        findings = self.findings
        return json.dumps(
            {
                "base": {"sha": self.base.sha, "branch": self.base.branch},
                "branch": self.branch,
                "draft": self.draft,
                "ready_when_green": self.ready_when_green,
                "labels": self.labels,
                "reviewers": self.reviewers,
                "proof": proof_to_json(findings.proof),
                "cause": findings.cause,
                "summary": findings.summary,
                "commands": findings.commands,
                "reproduction": findings.reproduction,
                "patch": findings.patch,
                "tried": findings.tried,
                "bug_cases": findings.bug_cases,
                "suspects": suspects_to_json(findings.suspects),
                "where": findings.where,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Candidate:
        """Return what ``to_json`` wrote."""
        value: dict[str, Any] = json.loads(text)
        return cls(
            Base(**value["base"]),
            value["branch"],
            Findings(
                proof_from_json(value["proof"]),
                value["cause"],
                value["summary"],
                tuple(value["commands"]),
                tuple(value["reproduction"]),
                value["patch"],
                tuple(value.get("tried", ())),
                tuple(value.get("bug_cases", ())),
                suspects_from_json(value.get("suspects")),
                value.get("where", ""),
            ),
            value["draft"],
            tuple(value["labels"]),
            tuple(value["reviewers"]),
            value.get("ready_when_green", False),
        )


@dataclass(frozen=True, slots=True)
class Commit:
    """The candidate's commit in the mirror; or why there is none, for now."""

    sha: str
    withheld: str = ""


async def commit(job: Job, candidate: Candidate, *, person_asked: bool = False) -> Commit:
    """Commit the change, unless too many pull requests are open already and no person asked for this one.

    The decision stands with the step's outcome: a run that goes on after its own pull request is open must
    not count that one.
    """

    async def work() -> Outcome:
        withheld = "" if person_asked else await _too_many_open(job)
        if withheld:
            return {"sha": "", "withheld": withheld, "words": withheld}
        sha = await _commit(job, candidate)
        return {"sha": sha, "withheld": "", "words": sha[:12]}

    outcome = await job.steps.run("commit", 1, work)
    return Commit(outcome["sha"], outcome["withheld"])


async def publish(job: Job, candidate: Candidate, sha: str) -> Ending:
    """Make the commit public, once, and say so to people."""

    async def push() -> Outcome:
        await _commit(job, candidate)  # the mirror may have been made anew; the same input is the same commit
        known = await job.tools.git.push(job.repository, sha, candidate.branch)
        return {"branch": candidate.branch, "known": known, "words": candidate.branch}

    await job.steps.run("push", 1, push)

    async def open_pull_request() -> Outcome:
        return await _open(job, candidate, sha)

    opened = await job.steps.run("open_pull_request", 1, open_pull_request)

    async def notify() -> Outcome:
        link = absolute(opened["url"], job.tools.policy.public_url)
        report = await build_report(job, candidate.findings, pr_url=link)
        return await send(job, f"pull_request:{opened['id']}", report)

    await job.steps.run("notify", 1, notify)
    return Ending(
        TaskState.COMPLETED,
        # What becomes of it later is said by its own record.
        "the branch's pull request was adopted" if opened["adopted"] else "a pull request was opened",
        candidate.findings.proof,
        {"pull_request_id": opened["id"], "pr_url": opened["url"]},
    )


async def _too_many_open(job: Job) -> str:
    """Return why no further pull request is opened here now, or an empty string.

    People merge and close on the host, where we do not hear of it: it is asked before anything is withheld.
    """
    limit = job.tools.policy.max_open_pull_requests
    known = await job.tools.pull_requests.open_in(job.repository.key)
    if len(known) < limit:
        return ""
    host = job.tools.host_of(job.repository)
    still_open = 0
    for pull_request in known:
        hosted = await host.find_pull_request(job.repository, pull_request.branch, pull_request.base)
        if hosted is None or hosted.state is PullRequestState.OPEN:
            still_open += 1
        else:
            await job.tools.pull_requests.set_state(pull_request.id, hosted.state)
    if still_open < limit:
        return ""
    return f"{limit} pull requests of ours are open in this repository (MAX_OPEN_PULL_REQUESTS)"


async def _commit(job: Job, candidate: Candidate) -> str:
    findings = candidate.findings
    message = words.commit_message(job.error, findings.reproduction, job.run_id, findings.changed)
    return await job.tools.git.commit(job.repository, candidate.base.sha, findings.patch, message)


async def _open(job: Job, candidate: Candidate, sha: str) -> Outcome:
    """Open the pull request or adopt the branch's own, and keep our record of it."""
    host = job.tools.host_of(job.repository)
    report = await build_report(job, candidate.findings)
    body = words.body(report, f"ai-ops:{job.task.fingerprint}:{job.task.episode}")
    hosted = await host.find_pull_request(job.repository, candidate.branch, candidate.base.branch)
    if hosted is None:
        wanted = NewPullRequest(
            branch=candidate.branch,
            base=candidate.base.branch,
            title=report.title,
            body=body,
            draft=candidate.draft,
            labels=candidate.labels,
            reviewers=candidate.reviewers,
        )
        hosted = await host.open_pull_request(job.repository, wanted)
    kept = await record(
        job,
        candidate.base,
        hosted,
        report,
        head_sha=sha,
        body=body,
        draft=candidate.draft,
        ready_when_green=candidate.ready_when_green,
    )
    # Said at once: should the mail fail, the task still names its pull request.
    await job.tools.tasks.update(job.task.id, pull_request_id=kept.id, pr_url=kept.url)
    verb = "adopted" if hosted.adopted else "opened"
    name = kept.id if kept.url.startswith("/") else kept.url
    return {"id": kept.id, "url": kept.url, "adopted": hosted.adopted, "words": f"{verb} {name}"}


async def record(
    job: Job,
    base: Base,
    hosted: HostedPullRequest,
    report: Report,
    *,
    head_sha: str = "",
    body: str = "",
    draft: bool = False,
    ready_when_green: bool = False,
) -> PullRequest:
    """Keep our record of a pull request as the host has it now; one that is known keeps what it says."""
    repository, task, now = job.repository, job.task, job.tools.clock.now()
    known = await job.tools.pull_requests.record(
        PullRequest(
            id=pull_request_id(repository.key, hosted.branch),
            repo_key=repository.key,
            repo_url=repository.url,
            code_host=repository.code_host,
            number=hosted.number,
            url=hosted.url,
            state=hosted.state,
            branch=hosted.branch,
            base=hosted.base,
            base_sha=base.sha,
            head_sha=head_sha or hosted.head_sha,  # a person may have pushed since we did
            title=report.title,
            body=body,
            diff=report.diff,
            task_id=task.id,
            run_id=job.run_id,
            issue_id=task.issue_id,
            fingerprint=task.fingerprint,
            episode=task.episode,
            created_at=now,
            updated_at=now,
            draft=draft,
            ready_when_green=ready_when_green,
            proof=report.proof,
            cause=report.cause,
            summary=report.summary,
        )
    )
    if known.state is hosted.state:
        return known
    return await job.tools.pull_requests.set_state(known.id, hosted.state)


def is_publishable(candidate: Candidate, *, require_proof: bool) -> bool:
    """Whether a change may be published: there is one, and its verdict allows it."""
    findings = candidate.findings
    return bool(findings.patch) and publishable(findings.proof.verdict, require_proof=require_proof)
