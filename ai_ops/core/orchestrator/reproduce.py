"""The first request: a test that fails on the base commit the way the log shows."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ai_ops.core import guard, prompts, proof, runners
from ai_ops.core.diagnosis import tried_in_vain
from ai_ops.core.diff import parse as parse_diff
from ai_ops.core.failures import failed
from ai_ops.core.orchestrator.asking import Asked, Question, ask
from ai_ops.core.orchestrator.money import Purse, accounted
from ai_ops.core.orchestrator.records import (
    budget_reason,
    command_of,
    reasons_from_json,
    reasons_to_json,
    usage_to_json,
)
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.orchestrator.showing import both, chosen, evidence, head
from ai_ops.core.orchestrator.suites import (
    checkout_of,
    collected_files,
    refuse_missing_setup,
    run_suite,
    setup_layer,
)
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome
from ai_ops.core.proof import ReproductionVerdict
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.fixing import Purpose
from ai_ops.flow.report import SuiteReport
from ai_ops.flow.task import Reason, Verdict


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A test that shows the error, or why there is none. ``patch`` adds ``paths`` to the base.

    ``blocked`` when the last answer did what a reproduction may not do; ``tried`` are the answers before it.
    """

    reproduced: bool
    reasons: tuple[Reason, ...]
    words: prompts.Words
    patch: str = ""
    paths: tuple[str, ...] = ()
    test_ids: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    blocked: bool = False
    tried: tuple[str, ...] = ()

    @property
    def evidence(self) -> ReproductionVerdict:
        """What the proof needs of it."""
        return ReproductionVerdict(self.reproduced, self.reasons, self.test_ids)

    @property
    def verdict(self) -> Verdict:
        """What is to be said of a repair that ends here."""
        return Verdict.BLOCKED if self.blocked else Verdict.UNPROVED


async def find_reproduction(scene: Scene) -> Reproduction:
    """Ask for a reproduction, at most as often as the policy allows; the evidence goes back each time.

    Raises:
        PermanentError: a spent budget, when nothing was found before it; whatever a step fails with.
    """
    feedback = ""
    outcome: Outcome = {}
    tried: tuple[str, ...] = ()
    for round in range(1, scene.tools.policy.max_rounds + 1):

        async def reproduce(round: int = round, feedback: str = feedback) -> Outcome:
            async with accounted(scene.tools, scene.run_id) as purse:
                return await _reproduce(scene, round, feedback, purse)

        try:
            outcome = await scene.steps.run("reproduce", round, reproduce)
        except PermanentError as failure:
            if not outcome:
                raise
            spent = reasons_to_json([budget_reason(failure)])
            outcome = {**outcome, "reasons": [*spent, *outcome["reasons"]]}
            break
        if outcome["reproduced"] or outcome["final"]:
            break
        if round < scene.tools.policy.max_rounds:
            reasons = reasons_from_json(outcome["reasons"])
            feedback = await evidence(scene, reasons, f"reproduction-{round}-before-report")
            tried = (*tried, tried_in_vain("reproduction", round, reasons))
    return await _found(scene.tools, scene.run_id, outcome, tried)


async def known_reproduction(tools: Tools, run_id: str) -> Reproduction:
    """Return what an earlier run reproduced the error with.

    Raises:
        PermanentError: ``evidence_lost``.
    """
    for step in await tools.trace.steps(run_id):
        if step.name == "reproduce" and step.output and step.output["reproduced"]:
            return await _found(tools, run_id, step.output, ())
    raise _lost()


async def _found(tools: Tools, run_id: str, outcome: Outcome, tried: tuple[str, ...]) -> Reproduction:
    found = Reproduction(
        outcome["reproduced"],
        reasons_from_json(outcome["reasons"]),
        prompts.Words(**outcome["said"]),
        commands=tuple(outcome["commands"]),
        blocked=outcome["blocked"],
        tried=tried,
    )
    return await _with_evidence(tools, run_id, found, outcome["patch"]) if outcome["patch"] else found


def _lost() -> AiOpsError:
    return failed("evidence_lost", "the reproduction is gone")


async def _with_evidence(tools: Tools, run_id: str, found: Reproduction, name: str) -> Reproduction:
    """Add what is kept byte for byte: an outcome is redacted, and the id of a test may look like a secret."""
    patch = await tools.trace.patch(run_id, name)
    evidence = await tools.trace.patch(run_id, f"{name}-evidence")
    if patch is None or evidence is None:
        raise _lost()
    kept = json.loads(evidence)
    return replace(found, patch=patch, paths=tuple(kept["paths"]), test_ids=tuple(kept["test_ids"]))


async def _reproduce(scene: Scene, round: int, feedback: str, purse: Purse) -> Outcome:
    layer = await setup_layer(scene)
    asked = await _ask(scene, round, feedback, purse)
    outcome: Outcome = {
        "reproduced": False,
        "blocked": asked.out_of_bounds,
        "final": asked.out_of_bounds,
        "reasons": reasons_to_json(asked.problems),
        "said": asdict(asked.words),
        "patch": "",
        "paths": [],
        "commands": [],
        "session": asked.session,
    }
    if not asked.problems:
        outcome |= await _judge(scene, round, asked.patch, layer)
    first = outcome["reasons"][0]["text"] if outcome["reasons"] else ""
    words = f"reproduced by {', '.join(outcome['paths'])}" if outcome["reproduced"] else first
    return outcome | {"usage": usage_to_json(purse.usage), "words": words}


async def _ask(scene: Scene, round: int, feedback: str, purse: Purse) -> Asked:
    project = scene.project
    checkout = await checkout_of(scene, "reproduce")
    shown = await asyncio.to_thread(chosen, scene, checkout)
    word = scene.error.fingerprint[:12] or "reproduction"
    path = runners.named(project.plan.kind).suggest(word, project.files)

    def prompt_for(block: str, report: str) -> str:
        return prompts.reproduce(
            head(scene, round, block),
            scene.error,
            scene.issue.sample.context,
            shown,
            project.plan,
            path=path,
            suspects=scene.suspects,
            feedback=both(feedback, report),
        )

    return await ask(
        Question(
            scene,
            Purpose.REPRODUCE,
            round=round,
            checkout=checkout,
            prompt_for=prompt_for,
            purse=purse,
            choice=shown,
            feedback=feedback,
        )
    )


async def _judge(scene: Scene, round: int, patch: str, layer: Path | None) -> dict[str, Any]:
    """Run the new tests on the base and judge them."""
    tools, project = scene.tools, scene.project
    name = f"reproduction-{round}"
    await tools.trace.put_artifact(scene.run_id, f"{name}-diff", patch, "text/x-diff")
    if not patch.strip():
        return _refused("no_change", "", "the answer changes nothing")
    findings = await asyncio.to_thread(
        guard.review_reproduction,
        patch,
        protected=project.settings.protected_paths,
        redact=tools.redact,
        policy=project.settings.guard,
    )
    if proof.is_blocked(findings):
        return {"reasons": reasons_to_json(proof.blocked(findings).reasons), "blocked": True}
    paths = tuple(file.path for file in parse_diff(patch))
    if odd := [path for path in paths if path.startswith("-")]:
        return _refused("odd_path", odd[0], "a path that begins with - cannot be given to the test command")
    # The tests run on a fresh checkout: whatever else the fixer left behind is not there.
    fresh = await checkout_of(scene, "reproduce", patch)
    report = await run_suite(scene, fresh, f"{name}-before", layer=layer, paths=paths)
    last = round == tools.policy.max_rounds
    refuse_missing_setup(project, report, forgiven=() if last else paths)
    if strays := guard.not_tests(paths, collected_files(report)):
        return _refused(
            "not_a_test", strays[0], "a reproduction adds tests and what lies beside them, nothing else"
        )
    verdict = proof.judge_reproduction(report, error=scene.error, new_tests=frozenset(paths))
    if verdict.reproduced:
        await tools.trace.put_patch(scene.run_id, name, patch)
        evidence = json.dumps({"paths": paths, "test_ids": verdict.test_ids})
        await tools.trace.put_patch(scene.run_id, f"{name}-evidence", evidence)
    return {
        "reproduced": verdict.reproduced,
        "reasons": reasons_to_json(verdict.reasons),
        "patch": name if verdict.reproduced else "",
        "paths": list(paths),
        "commands": [f"{command_of(report)}  # on the base: {_ended(report)}"],
    }


def _ended(report: SuiteReport) -> str:
    return f"exit code {report.exit_code}"


def _refused(rule: str, place: str, text: str) -> dict[str, Any]:
    return {"reasons": reasons_to_json([Reason(rule, place, text)])}
