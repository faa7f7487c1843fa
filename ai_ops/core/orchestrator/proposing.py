"""A prompt task's change made public: judged, committed by the server, pushed, and proposed once.

Each step looks before it creates, so that entering it again after a crash finds what is already there. What
the guard blocks or the suite refutes is withheld for a person, with its diff.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ai_ops.core import task_change
from ai_ops.core.identity import pull_request_id
from ai_ops.core.links import absolute
from ai_ops.core.orchestrator.chunks import Worked
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.errand import Errand
from ai_ops.core.orchestrator.judging import Change, Judged, judge
from ai_ops.core.orchestrator.money import cost_of
from ai_ops.core.orchestrator.reporting import redacted
from ai_ops.core.orchestrator.watching import as_recorded
from ai_ops.core.ports import Outcome
from ai_ops.core.report import Report
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest, PullRequest
from ai_ops.flow.task import Priority, TaskState


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A judged change, and what its task was answered."""

    change: Change
    judged: Judged
    worked: Worked

    @property
    def errand(self) -> Errand:
        return self.change.errand

    @property
    def title(self) -> str:
        errand = self.errand
        return task_change.title(errand.tools.redact(errand.name), errand.task.id)


async def propose(change: Change, worked: Worked) -> Ending:
    """Judge what a task wrote, and open a pull request of it or withhold it."""
    judged = await judge(change)
    proof = redacted(judged.proof, change.errand.tools.redact)
    proposal = _Proposal(change, replace(judged, proof=proof), worked)
    if task_change.withheld(proof):
        return await _withhold(proposal)
    return await _publish(proposal)


async def _withhold(proposal: _Proposal) -> Ending:
    """End without a pull request; people get the reason, and the diff is with the trace."""
    errand, proof = proposal.errand, proposal.judged.proof
    reason = f"the change is {proof.verdict}: {proof.reasons[0].text if proof.reasons else ''}"
    step = f"Read the artifact named diff; then ai-ops task retry {errand.task.id}, or reject."

    async def notify() -> Outcome:
        report = await _report(proposal, diagnosis=reason, next_step=step)
        return await _send(errand, f"review:{errand.task.id}:{errand.task.run_number}", report)

    await errand.steps.run("notify", 1, notify)
    return Ending(TaskState.NEEDS_HUMAN_REVIEW, reason, proof)


async def _publish(proposal: _Proposal) -> Ending:
    errand, steps = proposal.errand, proposal.errand.steps
    git, repository = errand.tools.git, proposal.change.repository

    async def commit() -> Outcome:
        sha = await _commit(proposal)
        return {"sha": sha, "words": sha[:12]}

    await steps.run("commit", 1, commit)

    async def push() -> Outcome:
        sha = await _commit(proposal)  # the mirror may have been made anew; same input, same commit
        await git.push(repository, sha, errand.branch)
        return {"sha": sha, "words": errand.branch}

    sha: str = (await steps.run("push", 1, push))["sha"]

    async def open_pull_request() -> Outcome:
        return await _open(proposal, sha)

    opened = await steps.run("open_pull_request", 1, open_pull_request)

    async def notify() -> Outcome:
        link = absolute(opened["url"], errand.tools.policy.public_url)
        report = await _report(proposal, pr_url=link)
        return await _send(errand, f"pull_request:{opened['id']}", report)

    await steps.run("notify", 1, notify)
    reason = f"a pull request was opened{proposal.worked.not_reached}"
    changes = {"pull_request_id": opened["id"], "pr_url": opened["url"]}
    return Ending(TaskState.COMPLETED, reason, proposal.judged.proof, changes)


async def _commit(proposal: _Proposal) -> str:
    errand, change = proposal.errand, proposal.change
    trailers = errand.tools.policy.commits.trailers
    message = task_change.commit_message(proposal.title, errand.task.id, errand.run_id, trailers)
    return await errand.tools.git.commit(change.repository, change.base.sha, change.patch, message)


async def _open(proposal: _Proposal, sha: str) -> Outcome:
    """Open the pull request or adopt the branch's own, and keep our record of it."""
    errand, change, settings = proposal.errand, proposal.change, proposal.judged.settings
    host = errand.tools.host_of(change.repository)
    body = await _body(proposal)
    hosted = await host.find_pull_request(change.repository, errand.branch, change.base.branch)
    if hosted is None:
        wanted = NewPullRequest(
            branch=errand.branch,
            base=change.base.branch,
            title=proposal.title,
            body=body,
            draft=True,  # what is not proved is made ready by a person alone
            labels=settings.labels,
        )
        hosted = await host.open_pull_request(change.repository, wanted)
    kept = await _record(proposal, hosted, sha, body)
    await errand.tools.tasks.update(errand.task.id, pull_request_id=kept.id, pr_url=kept.url)
    return {"id": kept.id, "url": kept.url, "words": f"opened {kept.url}"}


async def _body(proposal: _Proposal) -> str:
    errand, redact = proposal.errand, proposal.errand.tools.redact
    told = task_change.Told(
        asked=redact(str(errand.task.payload.get("prompt", ""))),
        summary=redact(proposal.worked.summary),
        proof=proposal.judged.proof,
        commands=tuple(map(redact, proposal.judged.commands)),
        refused=tuple(map(redact, proposal.worked.refused)),
        cost_usd=await cost_of(errand.tools, errand.task),
        trace_id=errand.run_id,
        task_id=errand.task.id,
    )
    return task_change.body(told, f"ai-ops:task:{errand.task.id}:{errand.task.run_number}")


async def _record(proposal: _Proposal, hosted: HostedPullRequest, sha: str, body: str) -> PullRequest:
    """Keep our record. It is no repair of an episode, so it bears neither issue nor fingerprint."""
    errand, change = proposal.errand, proposal.change
    tools, task, now = errand.tools, errand.task, errand.tools.clock.now()
    return await tools.pull_requests.record(
        PullRequest(
            id=pull_request_id(task.repo_key, hosted.branch),
            repo_key=task.repo_key,
            repo_url=task.repo_url,
            code_host=task.code_host,
            number=hosted.number,
            url=hosted.url,
            branch=hosted.branch,
            base=hosted.base,
            base_sha=change.base.sha,
            head_sha=sha,
            title=proposal.title,
            body=body,
            diff=tools.redact(change.patch),
            task_id=task.id,
            run_id=errand.run_id,
            issue_id=None,
            fingerprint="",
            episode=0,
            created_at=now,
            updated_at=now,
            draft=True,
            proof=proposal.judged.proof,
            summary=tools.redact(proposal.worked.summary),
            **as_recorded(hosted),  # a person may have closed it before we died and came back
        )
    )


async def _report(
    proposal: _Proposal, *, diagnosis: str = "", next_step: str = "", pr_url: str = ""
) -> Report:
    errand, tools, url = proposal.errand, proposal.errand.tools, proposal.errand.tools.policy.public_url
    return Report(
        title=proposal.title,
        error=ErrorDetail(""),
        proof=proposal.judged.proof,
        summary=tools.redact(proposal.worked.summary),
        diagnosis=tools.redact(diagnosis),
        next_step=next_step,
        commands=tuple(map(tools.redact, proposal.judged.commands)),
        diff=tools.redact(proposal.change.patch),
        cost_usd=await cost_of(tools, errand.task),
        trace_id=errand.run_id,
        trace_url=f"{url}/v1/traces/{errand.run_id}" if url else "",
        task_id=errand.task.id,
        task_url=f"{url}/v1/tasks/{errand.task.id}" if url else "",
        pr_url=pr_url,
        urgent=errand.task.priority is Priority.URGENT,
    )


async def _send(errand: Errand, key: str, report: Report) -> Outcome:
    """Put the report's mail into the outbox, durably, and try to deliver it at once."""
    tools = errand.tools
    if not tools.policy.recipients:
        return {"words": "no mail: RECEIVER_EMAIL is not set"}
    await tools.outbox.put(tools.mailroom.render(key, report, tools.policy.recipients, tools.clock.now()))
    sent = await tools.mailroom.deliver_due()
    return {"key": key, "words": "one mail" if key in sent else "one mail (waits in the outbox)"}
