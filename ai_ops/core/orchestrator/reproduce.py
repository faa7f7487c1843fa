"""The first request: a test that fails on the base commit the way the log shows."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ai_ops.core import context, guard, prompts, proof
from ai_ops.core.diff import parse as parse_diff
from ai_ops.core.identity import nonce
from ai_ops.core.orchestrator.asking import Question, ask
from ai_ops.core.orchestrator.records import (
    describe_report,
    reasons_from_json,
    reasons_to_json,
    usage_to_json,
)
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.ports import Outcome
from ai_ops.core.proof import ReproductionVerdict
from ai_ops.core.reports import missing_modules
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import Purpose
from ai_ops.flow.report import SuiteReport
from ai_ops.flow.task import Reason


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A test that shows the error, or why there is none. ``patch`` adds ``paths`` to the base."""

    reproduced: bool
    reasons: tuple[Reason, ...]
    words: prompts.Words
    patch: str = ""
    paths: tuple[str, ...] = ()
    test_ids: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def verdict(self) -> ReproductionVerdict:
        """What the proof needs of it."""
        return ReproductionVerdict(self.reproduced, self.reasons, self.test_ids)


async def find_reproduction(scene: Scene) -> Reproduction:
    """Ask for a reproduction, at most as often as the policy allows; the evidence goes back each time."""
    feedback = ""
    outcome: Outcome = {}
    for round in range(1, scene.tools.policy.max_rounds + 1):

        async def reproduce(round: int = round, feedback: str = feedback) -> Outcome:
            return await _reproduce(scene, round, feedback)

        outcome = await scene.steps.run("reproduce", round, reproduce)
        if outcome["reproduced"]:
            break
        feedback = feedback_of(outcome["reasons"])
    patch = await scene.tools.trace.patch(scene.run_id, outcome["patch"]) if outcome["patch"] else ""
    return Reproduction(
        outcome["reproduced"],
        reasons_from_json(outcome["reasons"]),
        prompts.Words(**outcome["said"]),
        patch or "",
        tuple(outcome["paths"]),
        tuple(outcome["test_ids"]),
        tuple(outcome["commands"]),
    )


def feedback_of(reasons: list[dict[str, str]]) -> str:
    """Return the words that go back to Claude."""
    return "\n".join(f"- {r['rule']} {r['place']}: {r['text']}" for r in reasons)


async def _reproduce(scene: Scene, round: int, feedback: str) -> Outcome:
    tools, project = scene.tools, scene.known
    checkout = await tools.workspaces.ensure(scene.run_id, "reproduce", project.repository, project.base.sha)
    layer = await _setup(scene)
    files, left_out = await asyncio.to_thread(context_files, scene, checkout)
    path = prompts.suggested_path(scene.error, project.files)

    def prompt_for(block: str, report: str) -> str:
        return prompts.reproduce(
            head(scene, round, block),
            scene.error,
            scene.issue.sample.context,
            files,
            project.plan,
            path=path,
            left_out=left_out,
            feedback="\n\n".join(part for part in (feedback, report) if part),
        )

    asked = await ask(
        tools,
        Question(
            run_id=scene.run_id,
            purpose=Purpose.REPRODUCE,
            round=round,
            mode=scene.mode,
            checkout=checkout,
            prompt_for=prompt_for,
            spent=await scene.spent(),
            own_limit=scene.own_limit,
            roots=context.roots(scene.error.frames, project.files),
            shown=frozenset(file.path for file in files),
        ),
    )
    outcome: dict[str, Any] = {
        "reproduced": False,
        "reasons": reasons_to_json(asked.problems),
        "said": asdict(asked.words),
        "patch": "",
        "paths": [],
        "test_ids": [],
        "commands": [],
        "usage": usage_to_json(asked.usage),
    }
    if not asked.problems:
        outcome |= await _judge(scene, round, checkout, layer)
    first = outcome["reasons"][0]["text"] if outcome["reasons"] else ""
    outcome["words"] = f"reproduced by {', '.join(outcome['paths'])}" if outcome["reproduced"] else first
    return outcome


async def _judge(scene: Scene, round: int, checkout: Path, layer: Path | None) -> dict[str, Any]:
    """Run the new tests on the base and judge them."""
    tools, project = scene.tools, scene.known
    patch = await tools.git.diff(checkout)
    name = f"reproduction-{round}"
    await tools.trace.put_artifact(scene.run_id, f"{name}-diff", patch, "text/x-diff")
    if not patch.strip():
        return {"reasons": [_reason("no_change", "the answer changes nothing")]}
    findings = guard.review_reproduction(patch, protected=project.settings.protected_paths)
    if proof.is_blocked(findings):
        return {"reasons": reasons_to_json(proof.blocked(findings).reasons)}
    paths = tuple(file.path for file in parse_diff(patch))
    # The tests run on a fresh checkout: whatever else the fixer left behind is not there.
    fresh = await tools.workspaces.ensure(
        scene.run_id, "reproduce", project.repository, project.base.sha, patch
    )
    report = await run_suite(scene, fresh, f"{name}-before", layer=layer, paths=paths)
    refuse_missing_setup(report, project.files)
    verdict = proof.judge_reproduction(report, error=scene.error, new_tests=frozenset(paths))
    if verdict.reproduced:
        await tools.trace.put_patch(scene.run_id, name, patch)
    return {
        "reproduced": verdict.reproduced,
        "reasons": reasons_to_json(verdict.reasons),
        "patch": name if verdict.reproduced else "",
        "paths": list(paths),
        "test_ids": list(verdict.test_ids),
        "commands": [f"{command(scene, paths)}  # on the base: {_ended(report)}"],
    }


async def _setup(scene: Scene) -> Path | None:
    """Prepare the set-up layer on an untouched base checkout, when the repository asks for one."""
    tools, project = scene.tools, scene.known
    if project.plan.setup is None:
        return None
    checkout = await tools.workspaces.ensure(scene.run_id, "setup", project.repository, project.base.sha)
    return await tools.setup_layers.ensure(project.repository, project.plan, checkout)


async def setup_layer(scene: Scene) -> Path | None:
    """Return the set-up layer again, for a later step; it is cached."""
    return await _setup(scene)


def head(scene: Scene, round: int, block: str) -> prompts.Head:
    """Return a request's head; the delimiter of its data is fresh and is not the answer's nonce."""
    delimiter = nonce(scene.run_id, f"data:{block}", round, scene.tools.policy.nonce_salt)
    return prompts.Head(scene.run_id, round, block, delimiter[:16], scene.mode)


def context_files(scene: Scene, checkout: Path) -> tuple[list[prompts.ContextFile], tuple[str, ...]]:
    """Return the files to show, and what there was no room for."""
    edits = scene.tools.edits
    tree = edits.tree(checkout)
    contents: dict[str, bytes] = {}

    def size(path: str) -> int:
        contents[path] = edits.read(checkout, path) or b""
        return len(contents[path])

    choice = context.choose(scene.error.frames, tree.paths, size)
    shown = []
    for path in choice.paths:
        data = contents.get(path)
        data = edits.read(checkout, path) if data is None else data
        if data is not None:
            shown.append(prompts.ContextFile(path, data.decode("utf-8", "replace")))
    return shown, choice.left_out


async def run_suite(
    scene: Scene, checkout: Path, name: str, *, layer: Path | None, paths: tuple[str, ...] = ()
) -> SuiteReport:
    """Run the suite, or the tests in ``paths``, and keep what was reported."""
    tools = scene.tools
    out = await tools.workspaces.scratch(scene.run_id, "report")
    report = await tools.suites.run(checkout, scene.known.plan, out=out, paths=paths, setup_layer=layer)
    text = describe_report(f"$ {command(scene, paths)}", report)
    await tools.trace.put_artifact(scene.run_id, f"{name}-report", text)
    return report


def command(scene: Scene, paths: tuple[str, ...] = ()) -> str:
    """Return the command of a test run, for people."""
    plan = scene.known.plan
    words = plan.reproduce if paths else plan.command
    parts = [word for item in words for word in (paths if item == "{path}" else (item,))]
    return " ".join(parts)


def _ended(report: SuiteReport) -> str:
    return f"exit code {report.exit_code}, {report.duration_seconds:.1f} s"


def refuse_missing_setup(report: SuiteReport, files: tuple[str, ...]) -> None:
    """Raise the named failure when tests cannot run for want of an installed package."""
    missing = missing_modules(report, files)
    if missing:
        raise PermanentError(
            "setup_required",
            f"the tests need packages that are not installed: {', '.join(missing)}",
            next_step="Name a `setup` command in .ai-ops.yml that installs them into $AI_OPS_SETUP_DIR.",
        )


def _reason(rule: str, text: str) -> dict[str, str]:
    return {"rule": rule, "place": "", "text": text}
