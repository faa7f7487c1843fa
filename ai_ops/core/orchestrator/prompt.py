"""A prompt task in its simplest form: read-only tools, the answer as an artifact."""

from __future__ import annotations

from ai_ops.core import prompts
from ai_ops.core.failures import failure
from ai_ops.core.identity import nonce
from ai_ops.core.orchestrator.ending import Ending
from ai_ops.core.orchestrator.guarding import HELD
from ai_ops.core.orchestrator.money import Purse, accounted, call_budget
from ai_ops.core.orchestrator.records import usage_to_json
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome, Steps
from ai_ops.core.wording import counted
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import FixMode, FixRequest, Purpose
from ai_ops.flow.judgement import Decision
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.task import Proof, Reason, Task, TaskState

READ_TOOLS = ("Read", "Glob", "Grep")


async def prompt(tools: Tools, steps: Steps, task: Task, run_id: str) -> Ending:
    """Prepare, work, deliver."""
    repository = Repository(task.repo_key, task.repo_url, task.code_host) if task.repo_url else None

    async def prepare() -> Outcome:
        await tools.sandbox.probe()
        if repository is None:
            return {"base": None, "words": "no repository"}
        base = await tools.git.refresh(repository)
        return {"base": {"sha": base.sha, "branch": base.branch}, "words": base.sha[:12]}

    base = (await steps.run("prepare", 1, prepare))["base"]
    if tools.guarding is not None:
        judged = await tools.guarding.words(task, run_id)
        if judged.decision is not Decision.ALLOW:
            return waits_for_person(f"{judged.rule}: {judged.text}")

    async def work() -> Outcome:
        async with accounted(tools, run_id) as purse:
            return await _work(tools, task, run_id, repository, Base(**base) if base else None, purse)

    try:
        await steps.run("work", 1, work)
    except PermanentError as failure:
        if failure.code != HELD:
            raise
        return waits_for_person(failure.message)

    async def deliver() -> Outcome:
        kept = await tools.trace.artifact(run_id, "answer")
        return {"artifact": "answer", "words": counted(len(kept.text) if kept else 0, "character")}

    await steps.run("deliver", 1, deliver)
    return Ending(TaskState.COMPLETED, "answered; the answer is the artifact named answer")


def waits_for_person(found: str) -> Ending:
    """Return how a run ends that met a command which a person has to look at."""
    rule, _, text = found.partition(": ")
    proof = Proof(None, (Reason(rule, "", text, "blocked"),))
    return Ending(TaskState.NEEDS_HUMAN_REVIEW, f"a command waits for a person: {found}", proof)


async def _work(
    tools: Tools, task: Task, run_id: str, repository: Repository | None, base: Base | None, purse: Purse
) -> Outcome:
    payload = task.payload
    budget = await call_budget(tools, purse, payload.get("budget_usd"))
    allowed = payload.get("allowed_tools")
    if repository is not None and base is not None:
        checkout = await tools.workspaces.ensure(run_id, "prompt", repository, base.sha)
    else:
        checkout = await tools.workspaces.scratch(run_id, "prompt")
    id_of_request = nonce(run_id, "task", 1, tools.policy.nonce_salt)
    text = prompts.task(
        prompts.Head(run_id, 1, id_of_request, id_of_request[:16], FixMode.AGENTIC),
        str(payload.get("prompt", "")),
        name=str(payload.get("name") or ""),
        description=str(payload.get("description") or ""),
    )
    await tools.trace.put_artifact(run_id, "prompt", text)
    request = FixRequest(
        run_id=run_id,
        purpose=Purpose.TASK,
        round=1,
        nonce=id_of_request,
        mode=FixMode.AGENTIC,
        prompt=text,
        checkout=checkout,
        tools=tuple(name for name in READ_TOOLS if allowed is None or name in allowed),
        writes=False,
        budget_usd=budget,
        model=tools.policy.model,
        wall_seconds=float(payload.get("timeout_seconds") or tools.policy.wall_seconds),
        idle_seconds=tools.policy.idle_seconds,
        judge=tools.guarding.tools(task, run_id) if tools.guarding else None,
    )

    async def watch(kind: str, data: dict[str, object]) -> None:
        await tools.trace.emit(run_id, kind, data)

    answer = await tools.fixer.ask(request, watch)
    purse.add(answer.usage)
    if not answer.text.strip():
        raise failure("model_empty_answer")
    await tools.trace.put_artifact(run_id, "answer", answer.text, "text/markdown")
    return {"usage": usage_to_json(purse.usage), "words": counted(answer.turns, "turn")}
