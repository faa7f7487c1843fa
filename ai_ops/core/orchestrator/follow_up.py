"""One follow-up of a pull request: change it, prove that anew, push it on top, and answer in the thread.

What asked for it may be anything that people or CI wrote. It is data for the fixer; what becomes of the
answer is decided by the guard and the tests, as for a first fix.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace

from ai_ops.core import replies
from ai_ops.core.failures import failed
from ai_ops.core.identity import is_of_task, port_branch
from ai_ops.core.links import absolute
from ai_ops.core.orchestrator.base_moved import find_newer, on_newer_base
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.fix import Fix, find_change, judge
from ai_ops.core.orchestrator.landing import Landing, answer, land
from ai_ops.core.orchestrator.project import load_project
from ai_ops.core.orchestrator.publish import Candidate, commit
from ai_ops.core.orchestrator.repair import investigate, job_of, publish_or_join
from ai_ops.core.orchestrator.reporting import Findings, redacted
from ai_ops.core.orchestrator.reproduce import Reproduction, known_reproduction
from ai_ops.core.orchestrator.revise import Revision, last_session
from ai_ops.core.orchestrator.scene import Job, Scene
from ai_ops.core.orchestrator.standing import look_at
from ai_ops.core.orchestrator.task_revision import revise_task
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.orchestrator.verify import verify_base
from ai_ops.core.ports import Outcome, Steps
from ai_ops.core.publishable import publishable
from ai_ops.errors import PermanentError
from ai_ops.flow.follow_up import FollowUp, FollowUpAction
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.repository import Base
from ai_ops.flow.task import Proof, Task, TaskState


@dataclass(frozen=True, slots=True)
class Standing:
    """A pull request as the run found it: ``change`` is what ``head`` of its branch has over ``base``."""

    wanted: FollowUp
    pull_request: PullRequest
    base: Base
    head: str
    change: str

    @property
    def landing(self) -> Landing:
        """Where a further change goes."""
        known = self.pull_request
        return Landing(known, self.base, (self.head,), known.revision + 1, known.run_id)


async def follow_up(tools: Tools, steps: Steps, task: Task, run_id: str) -> Ending:
    """Do what is wanted of a pull request, as far as the evidence carries, and say what came of it."""
    wanted = FollowUp.of(task.payload)
    pull_request = await tools.pull_requests.find(wanted.pull_request_id)
    if pull_request is None:
        raise failed("pull_request_not_found", "the task's pull request is no longer there")
    if is_of_task(pull_request.branch):
        return await revise_task(tools, steps, task, run_id, pull_request)
    job = await job_of(tools, steps, task, run_id)
    try:
        return await _follow_up(job, wanted, pull_request)
    except PermanentError as failure:
        words = {name: tools.redact(text) for name, text in failure.as_dict().items()}
        await answer(job, pull_request, replies.failed(words), wanted.thread)
        raise


async def _follow_up(job: Job, wanted: FollowUp, pull_request: PullRequest) -> Ending:
    async def checkout() -> Outcome:
        return await look_at(job, pull_request)

    start = await job.steps.run("checkout", 1, checkout)
    if start["ended"]:
        return await _end(job, wanted, pull_request, start["ended"], start["words"])
    change = await job.tools.trace.patch(job.run_id, "change") or ""
    # The record may have gone on meanwhile, by a step of this very run; the run keeps to what it found.
    found = replace(pull_request, revision=start["revision"])
    standing = Standing(wanted, found, Base(**start["base"]), start["head"], change)
    return await _ACTIONS[wanted.action](job, standing)


async def _revise(job: Job, standing: Standing) -> Ending:
    """Have the change revised and judge it as a fix is judged."""
    scene = await _scene(job, standing.base)
    reproduction = await _reproduction(job, standing.pull_request)
    session = await last_session(job.tools, standing.pull_request)
    revision = Revision(standing.wanted, standing.pull_request, standing.change, reproduction, session)
    fix = await find_change(scene, reproduction, revision.asking(scene))
    return await finish(
        job, standing, standing.landing, findings_of(scene, reproduction, fix, standing.pull_request)
    )


async def _anew(job: Job, standing: Standing) -> Ending:
    """Repair the error from the start; what comes of it takes the place of the change."""
    findings = await investigate(await _scene(job, standing.base))
    # Its reproduction and its session are those of this run from now on.
    return await finish(job, standing, replace(standing.landing, run_id=job.run_id), findings)


async def _port(job: Job, standing: Standing) -> Ending:
    """Propose the change for another branch, if it is proved there."""
    wanted, known = standing.wanted, standing.pull_request

    async def find_base() -> Outcome:
        base = await job.tools.git.refresh(job.repository, wanted.branch)
        return {"base": asdict(base), "words": f"{base.branch} at {base.sha[:12]}"}

    base = Base(**(await job.steps.run("base", 1, find_base))["base"])
    scene = await _scene(job, base)
    reproduction = await _reproduction(job, known)
    flaky = await verify_base(scene, reproduction)
    fix = await judge(scene, reproduction, flaky, 1, standing.change)
    findings = replace(findings_of(scene, reproduction, fix, known), cause=known.cause, summary=known.summary)
    if not publishable(fix.proof.verdict, require_proof=job.tools.policy.require_proof):
        proof = redacted(fix.proof, job.tools.redact)
        text = replies.not_pushed(proof, "")
        return await _end(job, wanted, known, text, "not proved there", proof)
    settings, branch = scene.project.settings, port_branch(known.branch, base.branch)
    candidate = Candidate(
        base,
        branch,
        findings,
        draft=known.draft,
        ready_when_green=known.ready_when_green,
        labels=settings.labels,
        reviewers=settings.reviewers,
    )
    committed = await commit(job, candidate, person_asked=True)
    published = await publish_or_join(job, candidate, committed)
    url = absolute(published.changes["pr_url"], job.tools.policy.public_url)
    await answer(job, known, replies.ported(url, base.branch), wanted.thread)
    return published


async def _merge(job: Job, standing: Standing) -> Ending:
    """Merge the base into the branch, if the change is proved there; where they conflict it is made anew."""
    known = standing.pull_request
    newer = await find_newer(job, known.base, standing.head)
    if newer.base.sha == standing.base.sha or not (newer.patch or newer.conflict):
        words = "the branch holds its base" if newer.patch else "the base holds the change"
        return await _end(job, standing.wanted, known, replies.nothing_to_merge(bool(newer.patch)), words)
    scene = await _scene(job, newer.base)
    reproduction = await _reproduction(job, known)
    fix = await on_newer_base(scene, reproduction, newer, standing.change)
    findings = findings_of(scene, reproduction, fix, known)
    if not newer.conflict:
        findings = replace(findings, cause=known.cause, summary=known.summary)
    parents = (standing.head, newer.base.sha)
    landing = replace(standing.landing, base=newer.base, parents=parents)
    # That the change is the same on the newer base is no reason to leave the branch as it is.
    return await finish(job, replace(standing, change=""), landing, findings)


_ACTIONS: Mapping[FollowUpAction, Callable[[Job, Standing], Awaitable[Ending]]] = {
    FollowUpAction.REVISE: _revise,
    FollowUpAction.ANEW: _anew,
    FollowUpAction.PORT: _port,
    FollowUpAction.MERGE: _merge,
}


async def finish(job: Job, standing: Standing, landing: Landing, findings: Findings) -> Ending:
    """Publish what was found where its verdict allows it, and answer either way."""
    tools, wanted, known = job.tools, standing.wanted, standing.pull_request
    proof, summary = redacted(findings.proof, tools.redact), tools.redact(findings.summary)
    same = bool(findings.patch) and findings.patch.strip() == standing.change.strip()
    allowed = publishable(proof.verdict, require_proof=tools.policy.require_proof)
    if not findings.patch or same or not allowed:
        words = "the change stays as it is" if same else f"nothing was pushed: {proof.verdict}"
        return await _end(job, wanted, known, replies.not_pushed(proof, summary), words, proof)
    landed = await land(job, landing, findings)
    if landed.state is not PullRequestState.OPEN:
        words = f"the pull request is {landed.state}"
        return await _end(job, wanted, known, replies.ended(landed.state), words, proof)
    if not landed.sha:
        return await _end(job, wanted, known, replies.OVERTAKEN, "a person has taken over", proof)
    text = replies.pushed(proof, summary, landing.revision, landed.sha)
    return await _end(job, wanted, known, text, f"revision {landing.revision} was pushed", proof)


async def _end(
    job: Job, wanted: FollowUp, known: PullRequest, text: str, reason: str, proof: Proof | None = None
) -> Ending:
    await answer(job, known, text, wanted.thread)
    return Ending(TaskState.COMPLETED, reason, proof or Proof())


async def _scene(job: Job, base: Base) -> Scene:
    project = await load_project(job.tools, job.repository, base, job.error.language)
    return Scene(job.tools, job.steps, job.task, job.issue, job.run_id, project)


async def _reproduction(job: Job, known: PullRequest) -> Reproduction:
    """Return the test that shows the error, as the run kept it that made the change, or the one before it."""
    try:
        return await known_reproduction(job.tools, known.run_id)
    except PermanentError as lost:
        task = await job.tools.tasks.find(known.task_id)
        candidate = str(task.payload.get("candidate_run", "")) if task else ""
        if not candidate:  # an approved change was found by the run before the one that published it
            raise lost from None
        return await known_reproduction(job.tools, candidate)


def findings_of(scene: Scene, reproduction: Reproduction, fix: Fix, known: PullRequest) -> Findings:
    """Return what was found of a change whose reproduction was there already.

    Words that an answer leaves out are those of before: a wish need not be about the cause.
    """
    return Findings(
        fix.proof,
        fix.words.cause or known.cause,
        fix.words.summary or known.summary,
        reproduction.commands + fix.commands,
        reproduction.paths,
        fix.patch,
        fix.tried,
        fix.bug_cases,
        where=scene.where,
    )
