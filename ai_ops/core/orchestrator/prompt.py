"""A prompt task: prepare, work in as many pieces as it takes, then deliver, or propose what was written."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from ai_ops.core.orchestrator.chunks import Work, Worked
from ai_ops.core.orchestrator.ending import Ending, waits_for_person
from ai_ops.core.orchestrator.errand import Errand, Prepared
from ai_ops.core.orchestrator.guarding import HELD
from ai_ops.core.orchestrator.judging import Change
from ai_ops.core.orchestrator.places import found_place
from ai_ops.core.orchestrator.proposing import propose
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome, Place, Steps
from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.core.wording import counted
from ai_ops.errors import PermanentError
from ai_ops.flow.judgement import Decision
from ai_ops.flow.repository import Base
from ai_ops.flow.task import Task, TaskState


async def prompt(tools: Tools, steps: Steps, task: Task, run_id: str) -> Ending:
    """Do what a person or a schedule asked for, with the powers of the task's type."""
    errand = Errand(tools, steps, task, run_id)

    async def prepare() -> Outcome:
        return await _prepare(errand)

    start = await steps.run("prepare", 1, prepare)
    if start.get("no_place"):
        reason = f"no place for its pull request: {start['no_place']}; it goes on when there is room"
        return Ending(TaskState.NEEDS_HUMAN_REVIEW, reason, changes={"waiting_for": NO_PLACE})
    if tools.guarding is not None:
        judged = await tools.guarding.words(task, run_id)
        if judged.decision is not Decision.ALLOW:
            return waits_for_person(f"{judged.rule}: {judged.text}")
    prepared = Prepared(errand, Base(**start["base"]) if start["base"] else None)
    try:
        worked = await Work(prepared).done()
    except PermanentError as failure:
        if failure.code != HELD:
            raise
        return waits_for_person(failure.message)
    repository, base = errand.repository, prepared.base
    if errand.proposes and worked.made.strip() and repository is not None and base is not None:
        return await propose(Change(errand, repository, base, worked.made), worked)
    return await _deliver(errand, worked)


async def _prepare(errand: Errand) -> Outcome:
    """Look at where it works before money is spent, and take the place of its pull request."""
    tools, repository = errand.tools, errand.repository
    await tools.sandbox.probe()
    if errand.folder:
        folder = await asyncio.to_thread(tools.folders.open, errand.folder)
        return {"base": None, "words": str(folder)}
    if repository is None:
        return {"base": None, "words": "no repository"}
    base = await tools.git.refresh(repository)
    no_place = ""
    if errand.proposes:
        tools.host_of(repository)  # one that opens no pull requests is said now
        place = Place(repository.key, errand.branch, base.branch, errand.task.id)
        beyond = bool(errand.task.payload.get("beyond_limits"))
        no_place = await found_place(tools, repository, place, beyond_limits=beyond)
    return {"base": asdict(base), "no_place": no_place, "words": no_place or base.sha[:12]}


async def _deliver(errand: Errand, worked: Worked) -> Ending:
    async def deliver() -> Outcome:
        kept = await errand.tools.trace.artifact(errand.run_id, "answer")
        return {"artifact": "answer", "words": counted(len(kept.text) if kept else 0, "character")}

    await errand.steps.run("deliver", 1, deliver)
    reason = f"answered; the answer is the artifact named answer; {worked.left}{worked.not_reached}"
    return Ending(TaskState.COMPLETED, reason)
