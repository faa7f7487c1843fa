"""How a pull request of ours stands when a run follows it up: open, ours, and with which change."""

from __future__ import annotations

from dataclasses import asdict

from ai_ops.core import replies
from ai_ops.core.orchestrator.scene import Doing
from ai_ops.core.ports import Outcome
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.repository import Base


async def look_at(job: Doing, known: PullRequest) -> Outcome:
    """Look how the pull request stands, and fetch its branch; one that is not ours to change is left.

    Its change is kept as the patch named ``change``.
    """
    tools, repository = job.tools, job.repository
    await tools.sandbox.probe()
    hosted = await tools.host_of(repository).pull_request(repository, known.number)
    if hosted.state is not PullRequestState.OPEN:
        return {"ended": replies.ended(hosted.state), "words": f"the pull request is {hosted.state}"}
    if known.held:
        return {"ended": replies.STEPPED_BACK, "words": "a person has taken over"}
    head = await tools.git.refresh(repository, known.branch)
    if head.sha != known.head_sha:
        return {"ended": replies.OVERTAKEN, "words": "the branch holds commits that are not ours"}
    patch = await tools.git.changes(repository, known.base_sha, head.sha)
    await tools.trace.put_patch(job.run_id, "change", patch)
    return {
        "ended": "",
        "base": asdict(Base(known.base_sha, known.base)),
        "head": head.sha,
        "revision": known.revision,
        "words": f"revision {known.revision} at {head.sha[:12]}",
    }
