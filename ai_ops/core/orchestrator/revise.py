"""A change of a pull request, asked for again: in its fixer's session, or in a new one that is told all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ai_ops.core import context, prompts
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.asking import Asked, Earlier, Question, ask
from ai_ops.core.orchestrator.fix import Asking
from ai_ops.core.orchestrator.money import Purse
from ai_ops.core.orchestrator.reproduce import Reproduction
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.orchestrator.sessions import kept
from ai_ops.core.orchestrator.showing import both, chosen, head, named_files
from ai_ops.core.orchestrator.suites import checkout_of
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import TaskFilter
from ai_ops.flow.fixing import Purpose, Session
from ai_ops.flow.follow_up import FollowUp
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.task import TaskKind, TaskState

_SESSIONS = (Purpose.REVISE, Purpose.FIX)
_MOST_FOLLOW_UPS = 50


@dataclass(frozen=True, slots=True)
class Revision:
    """What a revision begins from: the wish, and the change as the branch holds it, over the base."""

    wanted: FollowUp
    pull_request: PullRequest
    change: str
    reproduction: Reproduction
    session: Session | None

    def asking(self, scene: Scene) -> Asking:
        """Return how it is asked for."""

        async def revised(round: int, feedback: str, purse: Purse) -> tuple[Asked, tuple[str, ...]]:
            return await self._ask(scene, round, feedback, purse), ()

        nothing = "the fixer left the change as it is"
        return Asking(Purpose.REVISE, revised, self.change, nothing, may_decline=True)

    async def _ask(self, scene: Scene, round: int, feedback: str, purse: Purse) -> Asked:
        paths = self.reproduction.paths
        checkout = await checkout_of(scene, "revise", self.change)
        tests = await asyncio.to_thread(named_files, scene, checkout, paths)
        change = await asyncio.to_thread(scene.tools.redact, self.change)
        report = _report(self.pull_request)
        taken = sum(map(context.tokens, (change, report, self.wanted.request, *(t.text for t in tests))))
        shown = await asyncio.to_thread(chosen, scene, checkout, taken=taken, but=paths)

        def prompt_for(block: str, problems: str) -> str:
            return prompts.revise(
                head(scene, round, block),
                scene.error,
                scene.issue.sample.context,
                shown,
                scene.project.plan,
                wanted=self.wanted,
                reproduction=tests,
                change=change,
                report=report,
                feedback=both(feedback, problems),
            )

        def in_session(block: str) -> str:
            return prompts.revise_in_session(head(scene, round, block), self.wanted)

        return await ask(
            Question(
                scene,
                Purpose.REVISE,
                round=round,
                checkout=checkout,
                prompt_for=prompt_for,
                purse=purse,
                choice=shown,
                feedback=feedback,
                tests=tests,
                earlier=Earlier(self.session, in_session) if self.session else None,
                may_decline=True,
            )
        )


async def last_session(tools: Tools, pull_request: PullRequest) -> Session | None:
    """Return the session that made the change as the branch holds it, or None where none was kept."""
    wanted = TaskFilter(
        states=(TaskState.COMPLETED,), kinds=(TaskKind.FOLLOW_UP,), pull_request_id=pull_request.id
    )
    tasks = (await tools.tasks.list(wanted, limit=_MOST_FOLLOW_UPS)).items
    pushed = [run_id(task.id, task.run_number) for task in tasks]
    for run in (*pushed, pull_request.run_id):
        steps = await tools.trace.steps(run)
        if run != pull_request.run_id and not any(step.name == "record" and step.output for step in steps):
            continue  # what it tried is not on the branch
        asked = [step for step in steps if step.name in _SESSIONS and step.output]
        if asked:
            last = max(asked, key=lambda step: step.round)
            return await kept(tools, run, f"{last.name}-{last.round}-session")
    return None


def _report(pull_request: PullRequest) -> str:
    """Return what was said and proved of a change; its record is masked."""
    proof = pull_request.proof
    lines = [f"verdict: {proof.verdict}", f"cause: {pull_request.cause}", f"summary: {pull_request.summary}"]
    lines += [f"- {reason.rule} {reason.place}: {reason.text}" for reason in proof.reasons]
    return "\n".join(lines)
