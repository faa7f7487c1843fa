"""Triage within a run: one cheap question before other money is spent, whose answer can only choose a class.

The rules have judged the error already, when it came in. A repair that an event began is judged once more by
a model, which can say that it is none of ours; a person's word is not judged at all.
"""

from __future__ import annotations

import logging
from dataclasses import asdict

from ai_ops.core import prompts
from ai_ops.core.identity import nonce
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.money import Purse, accounted, call_budget
from ai_ops.core.orchestrator.records import triage_from_json, usage_to_json
from ai_ops.core.orchestrator.reporting import Findings, build_report, send
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.orchestrator.sessions import exchange
from ai_ops.core.orchestrator.showing import head
from ai_ops.core.ports import Outcome
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import FixMode, FixRequest, Purpose
from ai_ops.flow.issue import TriageDecision
from ai_ops.flow.task import Proof, Task, TaskState

log = logging.getLogger(__name__)


def by_event(task: Task) -> bool:
    """Whether an event began this run: every run after the first is a person's wish.

    One that waited for a place before it did anything has its first run after that.
    """
    return task.payload.get("requested_by") == "event" and task.run_number == task.payload.get("first_run", 1)


def withholds(decision: TriageDecision, task: Task) -> bool:
    """Whether a decision ends this run: only code faults are repaired unasked."""
    return by_event(task) and not decision.repair


async def triage(scene: Scene) -> TriageDecision:
    """Return what kind of trouble the error is: the model's word if it is asked and answers, or the rules'.

    A model that cannot be asked does not keep a repair from going on; what failed stands in the trace.
    """
    rules = scene.issue.triage
    asked = bool(scene.tools.policy.triage_model) and by_event(scene.task)

    async def work() -> Outcome:
        if not asked:
            return _outcome(rules, scene.task)
        async with accounted(scene.tools, scene.run_id) as purse:
            decision = await _ask(scene, purse)
            if decision is not None:
                await scene.tools.issues.judged(scene.issue.id, decision)
            return _outcome(decision or rules, scene.task) | {"usage": usage_to_json(purse.usage)}

    try:
        return triage_from_json(await scene.steps.run("triage", 1, work))
    except PermanentError as failure:
        log.warning("task %s: the rules' class stands, no model judged it: %s", scene.task.id, failure)
        return rules


async def leave(scene: Scene, decision: TriageDecision) -> Ending:
    """End without a repair: a person is told why, and may ask for it nevertheless."""
    task = scene.task
    reason = f"triage says {decision.triage_class}: {decision.reason}"
    next_step = (
        f"If the code is at fault after all: ai-ops task retry {task.id} (nothing judges it again). "
        f"If not: ai-ops task reject {task.id}. An [[expected]] rule keeps such errors from coming here."
    )

    async def notify() -> Outcome:
        findings = Findings(Proof(), suspects=scene.suspects, where=scene.where)
        report = await build_report(scene, findings, diagnosis=reason, next_step=next_step)
        return await send(scene, f"review:{task.id}:{task.run_number}", report)

    await scene.steps.run("notify", 1, notify)
    return Ending(TaskState.NEEDS_HUMAN_REVIEW, reason)


async def _ask(scene: Scene, purse: Purse) -> TriageDecision | None:
    """Ask the model; None when its answer is no class. It gets no tools and no checkout."""
    tools, policy = scene.tools, scene.tools.policy
    budget = await call_budget(tools, purse, scene.own_limit)
    block = nonce(scene.run_id, Purpose.TRIAGE, 1, policy.nonce_salt)
    request = FixRequest(
        run_id=scene.run_id,
        purpose=Purpose.TRIAGE,
        round=1,
        nonce=block,
        mode=FixMode.CODE_BLOCKS,
        prompt=prompts.triage(head(scene, 1, block), scene.error, scene.issue.sample.context),
        checkout=None,
        tools=(),
        writes=False,
        budget_usd=budget,
        max_turns=1,
        model=policy.triage_model,
        wall_seconds=policy.idle_seconds,  # one short answer takes no longer than a long one may be silent
        idle_seconds=policy.idle_seconds,
    )
    answer = await exchange(tools, "triage-1", request, purse)
    return prompts.parse_triage(tools.redact(answer.text), block)


def _outcome(decision: TriageDecision, task: Task) -> Outcome:
    words = f"{decision.triage_class} by {decision.judge}: {decision.reason}"
    return asdict(decision) | {"withheld": withholds(decision, task), "words": words}
