"""A base that moved on under a pull request: the change on the newer base, as git or the fixer makes it.

Git decides what becomes of the two. Where it cannot, the fix is asked anew on the newer base, with the change
so far as context. Either is proved there before anything is pushed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ai_ops.core import context, prompts
from ai_ops.core.orchestrator.fix import Fix, find_fix, judge
from ai_ops.core.orchestrator.reproduce import Reproduction
from ai_ops.core.orchestrator.scene import Job, Scene
from ai_ops.core.orchestrator.verify import verify_base
from ai_ops.core.ports import Outcome
from ai_ops.errors import PermanentError
from ai_ops.flow.repository import Base
from ai_ops.flow.task import Proof, Verdict

_MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Newer:
    """The newer base, and the branch's change on it; or what git says of the conflict."""

    base: Base
    patch: str = ""
    conflict: str = ""


async def find_newer(job: Job, base: str, head: str) -> Newer:
    """Fetch the base branch as it is now, and let git bring it and the head of our branch together.

    Raises:
        PermanentError: ``unrelated_history``; ``git_not_found`` when the base branch is gone.
    """
    tools = job.tools

    async def merge() -> Outcome:
        newest = await tools.git.refresh(job.repository, base)
        found: Outcome = {"base": asdict(newest), "conflict": ""}
        try:
            patch = await tools.git.merged(job.repository, head, newest.sha)
        except PermanentError as failure:
            if failure.code != "merge_conflict":
                raise
            return found | {"conflict": failure.message, "words": failure.message}
        await tools.trace.put_patch(job.run_id, _MERGED, patch)
        return found | {"words": f"{base} at {newest.sha[:12]}"}

    found = await job.steps.run("merge_base", 1, merge)
    newest = Base(**found["base"])
    if found["conflict"]:
        return Newer(newest, conflict=found["conflict"])
    return Newer(newest, await tools.trace.patch(job.run_id, _MERGED) or "")


async def on_newer_base(scene: Scene, reproduction: Reproduction, newer: Newer, change: str) -> Fix:
    """Judge the merged change on the newer base, or have it made anew where git could not merge.

    Nobody is asked where the error does not show any more: nothing could be proved there.
    """
    gone = await verify_base(scene, reproduction)
    if gone:
        return Fix(Proof(Verdict.UNPROVED, gone), prompts.Words(), newer.patch)
    if not newer.conflict:
        return await judge(scene, reproduction, gone, 1, newer.patch)
    so_far = context.earlier_change(scene.tools.redact(change))
    return await find_fix(scene, reproduction, earlier=(so_far,))
