"""A further change of a pull request made public: committed on top of its branch, pushed, recorded, answered.

Each step looks before it creates. Nothing is forced: a branch that is not where the run found it stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ai_ops.core import pr_text, replies
from ai_ops.core import report as words
from ai_ops.core.orchestrator.reporting import Findings, build_report
from ai_ops.core.orchestrator.scene import Doing, Job
from ai_ops.core.orchestrator.style import message_of, template_of
from ai_ops.core.ports import Outcome
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.repository import Base


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a change goes: over ``base``, on top of ``parents``, of which the first is the branch's head.

    ``run_id`` is the run that keeps its reproduction.
    """

    pull_request: PullRequest
    base: Base
    parents: tuple[str, ...]
    revision: int
    run_id: str


@dataclass(frozen=True, slots=True)
class Landed:
    """The commit; empty when nothing was pushed, because a person has taken over, pushed or ended it.

    ``state`` is that of the pull request.
    """

    sha: str = ""
    state: PullRequestState = PullRequestState.OPEN


async def land(job: Job, landing: Landing, findings: Findings) -> Landed:
    """Publish a judged change of a pull request, once."""

    async def commit() -> str:
        return await _commit(job, landing, findings)

    async def record(sha: str) -> Outcome:
        return await _record(job, landing, findings, sha)

    return await landed(job, landing, commit, record)


async def landed(
    job: Doing,
    landing: Landing,
    commit: Callable[[], Awaitable[str]],
    keep: Callable[[str], Awaitable[Outcome]],
) -> Landed:
    """Publish a change of a pull request, once.

    Args:
        job: the run.
        landing: where it goes.
        commit: makes the commit and returns it; the same one each time.
        keep: brings our record and the host's text up to date with it.
    """
    tools, pull_request = job.tools, landing.pull_request

    async def make() -> Outcome:
        sha = await commit()
        return {"sha": sha, "words": sha[:12]}

    sha: str = (await job.steps.run("commit", 1, make))["sha"]

    async def push() -> Outcome:
        now = await tools.pull_requests.find(pull_request.id)
        if now is None or now.held:
            return {"pushed": False, "words": "a person has taken over"}
        state = await _state(job, now)
        if state is not PullRequestState.OPEN:
            return {"pushed": False, "state": state, "words": f"the pull request is {state}"}
        await commit()  # the mirror may have been made anew
        try:
            await tools.git.push(job.repository, sha, pull_request.branch, onto=landing.parents[0])
        except PermanentError as failure:
            if failure.code != "branch_taken":
                raise
            return {"pushed": False, "words": failure.message}
        return {"pushed": True, "words": pull_request.branch}

    pushed = await job.steps.run("push", 1, push)
    if not pushed["pushed"]:
        return Landed(state=PullRequestState(pushed.get("state", PullRequestState.OPEN)))

    async def record() -> Outcome:
        return await keep(sha)

    await job.steps.run("record", 1, record)
    return Landed(sha)


async def _state(job: Doing, known: PullRequest) -> PullRequestState:
    """Ask the host: what a person merged or closed while we worked stays as they saw it."""
    if known.state is not PullRequestState.OPEN:
        return known.state
    return (await job.tools.host_of(job.repository).pull_request(job.repository, known.number)).state


async def _commit(job: Job, landing: Landing, findings: Findings) -> str:
    subject, _, rest = (await message_of(job, landing.base, findings)).partition("\n")
    merged = ", with its base merged in" if len(landing.parents) > 1 else ""
    message = f"{subject} (revision {landing.revision}{merged})\n{rest}"
    return await job.tools.git.commit(
        job.repository, landing.base.sha, findings.patch, message, parents=landing.parents
    )


async def _record(job: Job, landing: Landing, findings: Findings, sha: str) -> Outcome:
    """Bring our record and the text on the host up to date; done again, both say the same."""
    tools, known = job.tools, landing.pull_request
    report = await build_report(job, findings, reviewers=known.reviewers)
    files = await tools.git.list_files(job.repository, landing.base.sha)
    template = await template_of(job, landing.base, files)
    body = words.body(report, f"ai-ops:{known.fingerprint}:{known.episode}", template)
    await tools.pull_requests.update(
        known.id,
        run_id=landing.run_id,
        base_sha=landing.base.sha,
        head_sha=sha,
        diff=report.diff,
        proof=report.proof,
        cause=report.cause,
        summary=report.summary,
        reproduction=report.reproduction,
        revision=landing.revision,
    )
    await rewrite(job, known, body, words.head(report))
    return {"revision": landing.revision, "words": f"revision {landing.revision}"}


async def rewrite(job: Doing, known: PullRequest, body: str, head: Sequence[str]) -> None:
    """Bring the text on the host up to date, and then our record of it: what people changed in it stays.

    All else is on record before: a host that refuses a text must not make our own commit look like another's.

    Args:
        job: the run.
        known: its ``body`` is what we wrote last, without what people made of it; where it was only found on
            the host there is none, and what stands there counts as ours.
        body: the next such text.
        head: the lines of it that say what is proved.
    """
    host = job.tools.host_of(job.repository)
    shown = (await host.pull_request(job.repository, known.number)).body
    before = known.body or shown
    merged = await job.tools.git.merge_texts(*map(pr_text.folded, (before, shown, body)))
    text = pr_text.settled(pr_text.unfolded(merged), shown, before, body, head)
    if text != shown:
        await host.update_pull_request(job.repository, known.number, body=text)
    await job.tools.pull_requests.update(known.id, body=body)


async def answer(job: Doing, pull_request: PullRequest, text: str, thread: str = "") -> None:
    """Answer on the pull request, in the thread where there is one. A run answers once."""

    async def reply() -> Outcome:
        host = job.tools.host_of(job.repository)
        marker = f"ai-ops:reply:{job.run_id}"
        written = await host.comment(
            job.repository, pull_request.number, text, marker=marker, reply_to=thread
        )
        return {"comment": written.id, "words": replies.first_line(text)}

    await job.steps.run("reply", 1, reply)
