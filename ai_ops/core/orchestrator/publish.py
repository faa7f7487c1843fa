"""Commit, push, open the pull request, notify: the steps that have effects outside.

Each looks before it creates, so that entering it again after a crash finds what is already there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ai_ops.core import report as words
from ai_ops.core.identity import pull_request_id
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome, Steps
from ai_ops.core.report import Report
from ai_ops.flow.pull_request import NewPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.task import Task


@dataclass(frozen=True, slots=True)
class Candidate:
    """A judged change that may be published."""

    repository: Repository
    base: Base
    branch: str
    patch: str
    reproduction: tuple[str, ...]
    report: Report
    draft: bool = False
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """The pull request that stands for a change now."""

    pull_request_id: str
    url: str
    state: PullRequestState


async def publish(tools: Tools, steps: Steps, task: Task, run_id: str, candidate: Candidate) -> Published:
    """Make the change public, once, and say so to people."""

    async def commit() -> Outcome:
        message = words.commit_message(candidate.report.error, candidate.reproduction, run_id)
        sha = await tools.git.commit(candidate.repository, candidate.base.sha, candidate.patch, message)
        return {"sha": sha, "words": sha[:12]}

    sha = (await steps.run("commit", 1, commit))["sha"]

    async def push() -> Outcome:
        await commit()  # the mirror may have been made anew since; the same input is the same commit
        known = await tools.git.push(candidate.repository, sha, candidate.branch)
        return {"branch": candidate.branch, "known": known, "words": candidate.branch}

    await steps.run("push", 1, push)

    async def open_pull_request() -> Outcome:
        return await _open(tools, task, run_id, candidate, sha)

    opened = await steps.run("open_pull_request", 1, open_pull_request)

    async def notify() -> Outcome:
        report = replace(candidate.report, pr_url=opened["url"], diff=candidate.patch)
        return await send(tools, f"pull_request:{opened['id']}", report)

    await steps.run("notify", 1, notify)
    return Published(opened["id"], opened["url"], PullRequestState(opened["state"]))


async def _open(tools: Tools, task: Task, run_id: str, candidate: Candidate, sha: str) -> Outcome:
    """Open the pull request or adopt the branch's own, and keep our record of it."""
    repository = candidate.repository
    host = tools.host_of(repository)
    known = await host.find_pull_request(repository, candidate.branch, candidate.base.branch)
    if known is None:
        wanted = NewPullRequest(
            branch=candidate.branch,
            base=candidate.base.branch,
            title=candidate.report.title,
            body=words.body(candidate.report, f"ai-ops:{task.fingerprint}:{task.episode}"),
            draft=candidate.draft,
            labels=candidate.labels,
            reviewers=candidate.reviewers,
        )
        known = await host.open_pull_request(repository, wanted)
    now = tools.clock.now()
    record = await tools.pull_requests.record(
        PullRequest(
            id=pull_request_id(repository.key, candidate.branch),
            repo_key=repository.key,
            repo_url=repository.url,
            code_host=repository.code_host,
            number=known.number,
            url=known.url,
            state=known.state,
            branch=candidate.branch,
            base=candidate.base.branch,
            base_sha=candidate.base.sha,
            head_sha=known.head_sha or sha,
            title=candidate.report.title,
            body=words.body(candidate.report, f"ai-ops:{task.fingerprint}:{task.episode}"),
            diff=candidate.patch,
            task_id=task.id,
            run_id=run_id,
            issue_id=task.issue_id,
            fingerprint=task.fingerprint,
            episode=task.episode,
            created_at=now,
            updated_at=now,
            draft=candidate.draft,
            proof=candidate.report.proof,
        )
    )
    verb = "adopted" if known.adopted else "opened"
    return {"id": record.id, "url": record.url, "state": record.state, "words": f"{verb} {record.url}"}


async def send(tools: Tools, key: str, report: Report) -> Outcome:
    """Put the report's mail into the outbox, durably, and try to deliver it at once."""
    recipients = tools.policy.recipients
    if not recipients:
        return {"words": "no mail: RECEIVER_EMAIL is not set"}
    await tools.outbox.put(tools.mailroom.render(key, report, recipients, tools.clock.now()))
    sent = await tools.mailroom.deliver_due()
    words = f"one mail to {len(recipients)} receiver{'s' if len(recipients) > 1 else ''}"
    return {"key": key, "words": words if sent else f"{words} (waits in the outbox)"}
