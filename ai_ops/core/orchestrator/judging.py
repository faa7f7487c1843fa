"""Judges what a prompt task wrote to a repository: by the guard, as far as it applies, and by the suite.

The suite is run on the base and with the change, on checkouts of ours: a new failure speaks against it. Where
the tests cannot be run, that is said, and nothing is taken for granted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core import guard, proof
from ai_ops.core.orchestrator.errand import Errand
from ai_ops.core.orchestrator.project import Project, load_project, load_settings
from ai_ops.core.orchestrator.records import (
    command_of,
    describe_report,
    proof_from_json,
    proof_to_json,
    reasons_from_json,
    reasons_to_json,
)
from ai_ops.core.orchestrator.suites import refuse_missing_setup
from ai_ops.core.orchestrator.together import together
from ai_ops.core.ports import Outcome
from ai_ops.core.project import ProjectFile
from ai_ops.core.task_change import NO_SUITE
from ai_ops.core.wording import counted
from ai_ops.errors import PermanentError
from ai_ops.flow.report import SuiteReport
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.task import Proof, Reason, Verdict

_NOT_RUN = frozenset({"no_test_command", "test_tool_missing", "setup_required", "setup_failed"})


@dataclass(frozen=True, slots=True)
class Change:
    """What a task wrote: a patch over ``base``."""

    errand: Errand
    repository: Repository
    base: Base
    patch: str

    async def checkout(self, name: str, patch: str = "") -> Path:
        """Return a fresh checkout of the base with ``patch`` applied."""
        errand = self.errand
        return await errand.tools.workspaces.ensure(
            errand.run_id, name, self.repository, self.base.sha, patch
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict, the commands that it rests on, and what the repository says of its pull requests."""

    proof: Proof
    commands: tuple[str, ...]
    settings: ProjectFile


async def judge(change: Change) -> Judged:
    """Return what guard and suite say. Blocked by the guard, no test is run."""
    errand = change.errand
    settings = await load_settings(errand.tools, change.repository, change.base)

    async def look() -> Outcome:
        return await _guard(change, settings)

    guarded = await errand.steps.run("guard", 1, look)
    if guarded["proof"]:
        return Judged(proof_from_json(guarded["proof"]), (), settings)

    async def verify() -> Outcome:
        return await _verify(change)

    verified = await errand.steps.run("verify", 1, verify)
    judged = proof_from_json(verified["proof"])
    reasons = (*judged.reasons, *reasons_from_json(guarded["warnings"]))
    return Judged(Proof(judged.verdict, reasons), tuple(verified["commands"]), settings)


async def _guard(change: Change, settings: ProjectFile) -> Outcome:
    tools = change.errand.tools
    before, after = await together(change.checkout("base"), change.checkout("after", change.patch))

    def review() -> tuple[guard.Finding, ...]:
        return guard.review_task(
            change.patch,
            lambda path: tools.edits.read(before, path),
            lambda path: tools.edits.read(after, path),
            protected=settings.protected_paths,
            redact=tools.redact,
            policy=settings.guard,
        )

    findings = await asyncio.to_thread(review)
    if proof.is_blocked(findings):
        judged = proof.blocked(findings)
        return {"proof": proof_to_json(judged), "warnings": [], "words": judged.reasons[0].text}
    warnings = reasons_to_json(map(proof.reason, findings))
    return {"proof": None, "warnings": warnings, "words": f"allowed, {counted(len(warnings), 'warning')}"}


async def _verify(change: Change) -> Outcome:
    """Run the suite on the base and with the change."""
    tools = change.errand.tools
    try:
        project = await load_project(tools, change.repository, change.base)
        await tools.suites.check(project.plan)
        layer = await _setup_layer(change, project)
        before, after = await together(
            _run(change, project, layer, "suite-before", ""),
            _run(change, project, layer, "suite-after", change.patch),
        )
        refuse_missing_setup(project, before)
    except PermanentError as failure:
        if failure.code not in _NOT_RUN:
            raise
        text = f"the tests could not be run: {failure.message}"
        judged = Proof(Verdict.UNPROVED, (Reason(NO_SUITE, "", text),))
        return {"proof": proof_to_json(judged), "commands": [], "words": text}
    judged = proof.judge_suite(before, after)
    first = judged.reasons[0].text if judged.reasons else ""
    commands = [
        f"{command_of(before)}  # on the base: exit code {before.exit_code}",
        f"{command_of(after)}  # with the change: exit code {after.exit_code}",
    ]
    return {"proof": proof_to_json(judged), "commands": commands, "words": f"{judged.verdict}: {first}"}


async def _setup_layer(change: Change, project: Project) -> Path | None:
    if project.plan.setup is None:
        return None
    checkout = await change.checkout("setup")
    return await change.errand.tools.setup_layers.ensure(project.repository, project.plan, checkout)


async def _run(
    change: Change, project: Project, layer: Path | None, name: str, patch: str, paths: Sequence[str] = ()
) -> SuiteReport:
    """Run the suite on a checkout of its own: what one run leaves behind must not decide the other."""
    errand = change.errand
    checkout = await change.checkout(name, patch)
    out = await errand.tools.workspaces.scratch(errand.run_id, f"report-{name}")
    report = await errand.tools.suites.run(checkout, project.plan, out=out, paths=paths, setup_layer=layer)
    await errand.tools.trace.put_artifact(errand.run_id, f"{name}-report", describe_report(report))
    return report
