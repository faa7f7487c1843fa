"""A pull request of a prompt task, followed up: its change revised with the powers of that task.

There is no logged error to prove it by. Guard and suite judge the whole change, as they judged the first; it
lies on top of the branch, and stays a draft.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ai_ops.core import prompts, replies, task_change
from ai_ops.core.failures import failed
from ai_ops.core.orchestrator.chunks import Work, Worked, begin_with
from ai_ops.core.orchestrator.ending import Ending, waits_for_person
from ai_ops.core.orchestrator.errand import Errand, Prepared
from ai_ops.core.orchestrator.guarding import HELD
from ai_ops.core.orchestrator.judging import Change, Judged, judge
from ai_ops.core.orchestrator.landing import Landing, answer, landed, rewrite
from ai_ops.core.orchestrator.money import cost_of
from ai_ops.core.orchestrator.reporting import redacted
from ai_ops.core.orchestrator.standing import look_at
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome, Steps
from ai_ops.errors import PermanentError
from ai_ops.flow.follow_up import FollowUp, FollowUpAction
from ai_ops.flow.judgement import Decision
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.task import Proof, Task, TaskState


@dataclass(frozen=True, slots=True)
class Revising:
    """One run that follows up the pull request of a prompt task; ``origin`` is that task."""

    tools: Tools
    steps: Steps
    task: Task
    run_id: str
    wanted: FollowUp
    pull_request: PullRequest
    origin: Task

    @property
    def repository(self) -> Repository:
        """The repository."""
        return Repository(self.task.repo_key, self.task.repo_url, self.task.code_host)

    @property
    def errand(self) -> Errand:
        """The work: the origin's, with its powers and limits; what is asked for now is data."""
        asked = self.origin.payload
        payload = {
            **asked,
            "prompt": prompts.task_revision(self.wanted.reason, str(asked.get("prompt", ""))),
            "inputs": [*(asked.get("inputs") or ()), {"name": "request", "text": self.wanted.request}],
        }
        return Errand(self.tools, self.steps, replace(self.task, payload=payload), self.run_id)


async def revise_task(
    tools: Tools, steps: Steps, task: Task, run_id: str, pull_request: PullRequest
) -> Ending:
    """Revise the change of a prompt task's pull request, and say what came of it.

    Raises:
        PermanentError: ``task_not_found``, ``only_revisions``; whatever the work fails with for good.
    """
    wanted = FollowUp.of(task.payload)
    origin = await tools.tasks.find(pull_request.task_id)
    if origin is None:
        raise failed("task_not_found", "the task that made this pull request is no longer there")
    run = Revising(tools, steps, task, run_id, wanted, pull_request, origin)
    try:
        if wanted.action is not FollowUpAction.REVISE:
            raise failed("only_revisions", replies.OF_A_TASK)
        return await _revise(run)
    except PermanentError as failure:
        words = {name: tools.redact(text) for name, text in failure.as_dict().items()}
        await answer(run, pull_request, replies.failed(words), wanted.thread)
        raise


async def _revise(run: Revising) -> Ending:
    async def checkout() -> Outcome:
        start = await look_at(run, run.pull_request)
        if not start["ended"]:
            change = await run.tools.trace.patch(run.run_id, "change") or ""
            await begin_with(run.tools, run.run_id, change)
        return start

    start = await run.steps.run("checkout", 1, checkout)
    if start["ended"]:
        return await _end(run, start["ended"], start["words"])
    base, change = Base(**start["base"]), await run.tools.trace.patch(run.run_id, "change") or ""
    held = await _held(run)
    if held:
        return await _waits(run, held)
    try:
        worked = await Work(Prepared(run.errand, base)).done()
    except PermanentError as failure:
        if failure.code != HELD:
            raise
        return await _waits(run, failure.message)
    summary = run.tools.redact(worked.summary)
    if not worked.made.strip() or worked.made.strip() == change.strip():
        return await _end(run, replies.unchanged(summary), "the change stays as it is")
    judged = await judge(Change(run.errand, run.repository, base, worked.made))
    judged = replace(judged, proof=redacted(judged.proof, run.tools.redact))
    if task_change.withheld(judged.proof):
        text = replies.not_pushed(judged.proof, summary)
        return await _end(run, text, f"nothing was pushed: {judged.proof.verdict}", judged.proof)
    found = replace(run.pull_request, revision=start["revision"])
    landing = Landing(found, base, (start["head"],), found.revision + 1, run.run_id)
    return await _land(run, landing, judged, worked)


async def _held(run: Revising) -> str:
    """Return what a person has to look at in the words of the request, empty for nothing."""
    if run.tools.guarding is None:
        return ""
    task = run.errand.task
    prompt = f"{task.payload['prompt']}\n{run.wanted.request}"
    judged = await run.tools.guarding.words(
        replace(task, payload={**task.payload, "prompt": prompt}), run.run_id
    )
    return "" if judged.decision is Decision.ALLOW else f"{judged.rule}: {judged.text}"


async def _waits(run: Revising, found: str) -> Ending:
    await answer(run, run.pull_request, replies.held(run.tools.redact(found)), run.wanted.thread)
    return waits_for_person(found)


async def _land(run: Revising, landing: Landing, judged: Judged, worked: Worked) -> Ending:
    async def commit() -> str:
        trailers = run.tools.policy.commits.trailers
        title = f"{run.pull_request.title} (revision {landing.revision})"
        message = task_change.commit_message(title, run.origin.id, run.run_id, trailers)
        return await run.tools.git.commit(
            run.repository, landing.base.sha, worked.made, message, parents=landing.parents
        )

    async def record(sha: str) -> Outcome:
        return await _record(run, landing, judged, worked, sha)

    done = await landed(run, landing, commit, record)
    if done.state is not PullRequestState.OPEN:
        return await _end(run, replies.ended(done.state), f"the pull request is {done.state}", judged.proof)
    if not done.sha:
        return await _end(run, replies.OVERTAKEN, "a person has taken over", judged.proof)
    summary = run.tools.redact(worked.summary)
    text = replies.pushed(judged.proof, summary, landing.revision, done.sha)
    return await _end(run, text, f"revision {landing.revision} was pushed", judged.proof)


async def _record(run: Revising, landing: Landing, judged: Judged, worked: Worked, sha: str) -> Outcome:
    """Bring our record and the text on the host up to date; done again, both say the same."""
    tools, known, origin = run.tools, landing.pull_request, run.origin
    told = task_change.Told(
        asked=tools.redact(str(origin.payload.get("prompt", ""))),
        summary=tools.redact(worked.summary),
        proof=judged.proof,
        commands=tuple(map(tools.redact, judged.commands)),
        refused=tuple(map(tools.redact, worked.refused)),
        cost_usd=await cost_of(tools, origin) + await cost_of(tools, run.task),
        trace_id=run.run_id,
        task_id=origin.id,
    )
    number = known.branch.rpartition("-")[2]  # of the run that opened it
    body = task_change.body(told, f"ai-ops:task:{origin.id}:{number}")
    await tools.pull_requests.update(
        known.id,
        run_id=run.run_id,
        head_sha=sha,
        diff=tools.redact(worked.made),
        proof=judged.proof,
        summary=told.summary,
        revision=landing.revision,
    )
    await rewrite(run, known, body, (task_change.HEAD,))
    return {"revision": landing.revision, "words": f"revision {landing.revision}"}


async def _end(run: Revising, text: str, reason: str, proof: Proof | None = None) -> Ending:
    await answer(run, run.pull_request, text, run.wanted.thread)
    return Ending(TaskState.COMPLETED, reason, proof or Proof())
