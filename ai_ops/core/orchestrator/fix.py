"""The second request: the smallest change that removes the cause; then guard and verification."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass

from ai_ops.core import context, guard, prompts, proof
from ai_ops.core.orchestrator.asking import Question, ask
from ai_ops.core.orchestrator.records import (
    proof_from_json,
    proof_to_json,
    reasons_to_json,
    report_from_json,
    report_to_json,
    usage_to_json,
)
from ai_ops.core.orchestrator.reproduce import (
    Reproduction,
    command,
    context_files,
    feedback_of,
    head,
    refuse_missing_setup,
    run_suite,
    setup_layer,
)
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.ports import Outcome
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import Purpose
from ai_ops.flow.task import Proof, Reason, Verdict

_BASELINE = "suite-before"


@dataclass(frozen=True, slots=True)
class Fix:
    """The last change that was tried, and what was judged of it."""

    proof: Proof
    words: prompts.Words
    patch: str = ""
    commands: tuple[str, ...] = ()


async def find_fix(scene: Scene, reproduction: Reproduction) -> Fix:
    """Ask for a fix and judge it, at most as often as the policy allows."""
    fix = Fix(Proof(Verdict.UNPROVED), prompts.Words())
    feedback = ""
    for round in range(1, scene.tools.policy.max_rounds + 1):
        fix = await _round(scene, reproduction, round, feedback)
        if fix.proof.verdict is Verdict.PROVED:
            break
        feedback = feedback_of(reasons_to_json(fix.proof.reasons))
    return fix


async def _round(scene: Scene, reproduction: Reproduction, round: int, feedback: str) -> Fix:
    """Fix, guard, verify. The guard is asked first; what it blocks is not run."""

    async def fix() -> Outcome:
        return await _fix(scene, reproduction, round, feedback)

    asked = await scene.steps.run("fix", round, fix)
    words = prompts.Words(**asked["said"])
    if asked["proof"]:
        return Fix(proof_from_json(asked["proof"]), words)
    patch = await scene.tools.trace.patch(scene.run_id, asked["patch"]) or ""

    async def check() -> Outcome:
        return await _guard(scene, reproduction, patch)

    guarded = await scene.steps.run("guard", round, check)
    if guarded["proof"]:
        return Fix(proof_from_json(guarded["proof"]), words, patch)

    async def baseline() -> Outcome:
        return await _baseline(scene)

    await scene.steps.run("verify", 0, baseline)

    async def verify() -> Outcome:
        return await _verify(scene, reproduction, round, patch)

    verified = await scene.steps.run("verify", round, verify)
    judged = proof_from_json(verified["proof"])
    warnings = tuple(Reason(**warning) for warning in guarded["warnings"])
    judged = Proof(judged.verdict, judged.reasons + warnings)
    return Fix(judged, words, patch, tuple(verified["commands"]))


async def _fix(scene: Scene, reproduction: Reproduction, round: int, feedback: str) -> Outcome:
    tools, project = scene.tools, scene.known
    checkout = await tools.workspaces.ensure(
        scene.run_id, "fix", project.repository, project.base.sha, reproduction.patch
    )
    files, left_out = await asyncio.to_thread(context_files, scene, checkout)
    tests = [file for file in files if file.path in reproduction.paths]
    known = {file.path for file in tests}
    for path in reproduction.paths:
        data = tools.edits.read(checkout, path)
        if path not in known and data is not None:
            tests.append(prompts.ContextFile(path, data.decode("utf-8", "replace")))
    files = [file for file in files if file.path not in reproduction.paths]

    def prompt_for(block: str, report: str) -> str:
        return prompts.fix(
            head(scene, round, block),
            scene.error,
            scene.issue.sample.context,
            files,
            project.plan,
            reproduction=tests,
            left_out=left_out,
            feedback="\n\n".join(part for part in (feedback, report) if part),
        )

    asked = await ask(
        tools,
        Question(
            run_id=scene.run_id,
            purpose=Purpose.FIX,
            round=round,
            mode=scene.mode,
            checkout=checkout,
            prompt_for=prompt_for,
            spent=await scene.spent(),
            own_limit=scene.own_limit,
            roots=context.roots(scene.error.frames, project.files),
            shown=frozenset(file.path for file in (*files, *tests)),
        ),
    )
    outcome: Outcome = {
        "said": asdict(asked.words),
        "usage": usage_to_json(asked.usage),
        "patch": "",
        "proof": None,
    }
    if asked.problems:
        return outcome | _refused(asked.problems, blocked=asked.out_of_bounds)
    patch = await tools.git.diff(checkout)
    if _same(patch, reproduction.patch):
        return outcome | _refused((Reason("no_change", "", "the answer changes nothing but the tests"),))
    name = f"fix-{round}"
    await tools.trace.put_patch(scene.run_id, name, patch)
    await tools.trace.put_artifact(scene.run_id, f"{name}-diff", patch, "text/x-diff")
    return outcome | {"patch": name, "words": asked.words.summary[:200]}


def _same(one: str, other: str) -> bool:
    return one.strip() == other.strip()


def _refused(reasons: tuple[Reason, ...], *, blocked: bool = False) -> Outcome:
    """Return the outcome of an answer that could not become a change."""
    verdict = Verdict.BLOCKED if blocked else Verdict.UNPROVED
    return {"proof": proof_to_json(Proof(verdict, reasons)), "words": reasons[0].text}


async def _guard(scene: Scene, reproduction: Reproduction, patch: str) -> Outcome:
    """Ask the guard. Before and after are read from checkouts of ours, not from the fixer's."""
    tools, project = scene.tools, scene.known
    before = await tools.workspaces.ensure(scene.run_id, "base", project.repository, project.base.sha)
    after = await tools.workspaces.ensure(scene.run_id, "after", project.repository, project.base.sha, patch)
    proved = await tools.workspaces.ensure(
        scene.run_id, "proved", project.repository, project.base.sha, reproduction.patch
    )
    tests = {path: tools.edits.read(proved, path) or b"" for path in reproduction.paths}
    findings = await asyncio.to_thread(
        guard.review,
        patch,
        lambda path: tools.edits.read(before, path),
        lambda path: tools.edits.read(after, path),
        protected=project.settings.protected_paths,
        reproduction=tests,
    )
    if proof.is_blocked(findings):
        judged = proof.blocked(findings)
        return {"proof": proof_to_json(judged), "warnings": [], "words": judged.reasons[0].text}
    warnings = reasons_to_json(Reason(f.rule, f.place, f.text) for f in findings)
    return {"proof": None, "warnings": warnings, "words": f"allowed, {len(warnings)} warnings"}


async def _baseline(scene: Scene) -> Outcome:
    """Run the existing suite on the base commit, for comparison."""
    tools, project = scene.tools, scene.known
    checkout = await tools.workspaces.ensure(scene.run_id, "base", project.repository, project.base.sha)
    report = await run_suite(scene, checkout, _BASELINE, layer=await setup_layer(scene))
    refuse_missing_setup(report, project.files)
    await tools.trace.put_patch(scene.run_id, _BASELINE, report_to_json(report))
    return {"words": f"base: {len(report.results or ())} tests, exit code {report.exit_code}"}


async def _verify(scene: Scene, reproduction: Reproduction, round: int, patch: str) -> Outcome:
    """Run the reproduction and the suite with the fix, and judge."""
    tools, project = scene.tools, scene.known
    kept = await tools.trace.patch(scene.run_id, _BASELINE)
    if kept is None:
        raise PermanentError(
            "baseline_lost", "the suite's report on the base is gone", next_step="Retry the task."
        )
    layer = await setup_layer(scene)
    checkout = await tools.workspaces.ensure(
        scene.run_id, "verify", project.repository, project.base.sha, patch
    )
    reproduced = await run_suite(
        scene, checkout, f"reproduction-after-{round}", layer=layer, paths=reproduction.paths
    )
    # A fresh checkout again: what the first run left behind must not decide the second.
    checkout = await tools.workspaces.ensure(
        scene.run_id, "verify", project.repository, project.base.sha, patch
    )
    suite = await run_suite(scene, checkout, f"suite-after-{round}", layer=layer)
    judged = proof.judge(reproduction.verdict, reproduced, report_from_json(kept), suite, scene.error)
    first = judged.reasons[0].text if judged.reasons else ""
    return {
        "proof": proof_to_json(judged),
        "commands": [
            f"{command(scene, reproduction.paths)}  # with the fix: exit code {reproduced.exit_code}",
            f"{command(scene)}  # with the fix: exit code {suite.exit_code}",
        ],
        "words": f"{judged.verdict}: {first}",
    }
