"""The runs that prove: on the base commit, before money is spent on a fix, and then with the fix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ai_ops.core import proof
from ai_ops.core.failures import failed
from ai_ops.core.orchestrator.records import (
    command_of,
    proof_to_json,
    reasons_from_json,
    reasons_to_json,
    report_from_json,
    report_to_json,
)
from ai_ops.core.orchestrator.reproduce import Reproduction
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.orchestrator.suites import (
    checkout_of,
    refuse_missing_command,
    refuse_missing_setup,
    run_suite,
    setup_layer,
)
from ai_ops.core.orchestrator.together import together
from ai_ops.core.ports import Outcome
from ai_ops.core.wording import counted
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.report import SuiteReport
from ai_ops.flow.task import Proof, Reason, Verdict

_BASELINE = "suite-before"
RUNS = ("reproduction-after", "suite-after")
"""The names of the test runs with a fix."""


async def verify_base(scene: Scene, reproduction: Reproduction) -> tuple[Reason, ...]:
    """Run the existing suite on the base, and the reproduction once more; return what is not steady there.

    Raises:
        PermanentError: ``setup_required``; whatever a run fails with.
    """

    async def verify() -> Outcome:
        return await _verify_base(scene, reproduction)

    return reasons_from_json((await scene.steps.run("verify", 0, verify))["flaky"])


async def _verify_base(scene: Scene, reproduction: Reproduction) -> Outcome:
    layer = await setup_layer(scene)
    report, again = await together(
        _run(scene, layer, _BASELINE, ""),
        _run(scene, layer, "reproduction-again", reproduction.patch, reproduction.paths),
    )
    refuse_missing_setup(scene.project, report)
    refuse_missing_command(scene.project, report)
    await scene.tools.trace.put_patch(scene.run_id, _BASELINE, report_to_json(report))
    judged = proof.judge_reproduction(again, error=scene.error, new_tests=frozenset(reproduction.paths))
    flaky = proof.unsteady_on_base(judged, reproduction.test_ids)
    words = f"base: {counted(len(report.results or ()), 'test')}, exit code {report.exit_code}"
    return {"flaky": reasons_to_json(flaky), "words": f"{words}; {flaky[0].text}" if flaky else words}


async def base_report(scene: Scene) -> SuiteReport:
    """Return the suite's report on the base commit, as ``verify_base`` kept it.

    Raises:
        PermanentError: ``baseline_lost``.
    """
    kept = await scene.tools.trace.patch(scene.run_id, _BASELINE)
    if kept is None:
        raise failed("baseline_lost")
    return report_from_json(kept)


async def verify_fix(
    scene: Scene, reproduction: Reproduction, flaky: Sequence[Reason], round: int, patch: str
) -> Outcome:
    """Run the reproduction and the suite with the fix, and judge. ``flaky`` is what ``verify_base`` found."""
    before = await base_report(scene)
    layer = await setup_layer(scene)
    reproduced, suite = await together(
        _run(scene, layer, RUNS[0], patch, reproduction.paths, round=round),
        _run(scene, layer, RUNS[1], patch, round=round),
    )
    judged = proof.judge(reproduction.evidence, reproduced, before, suite, scene.error)
    shaky = proof.unsteady_with_fix(suite, reproduction.test_ids)
    best = not shaky and _is_best(judged, reproduction, reproduced, before, suite, scene.error)
    judged = proof.steady(judged, (*flaky, *shaky))
    first = judged.reasons[0].text if judged.reasons else ""
    return {
        "proof": proof_to_json(judged),
        "final": best,
        "commands": [
            f"{command_of(reproduced)}  # with the fix: exit code {reproduced.exit_code}",
            f"{command_of(suite)}  # with the fix: exit code {suite.exit_code}",
        ],
        "words": f"{judged.verdict}: {first}",
    }


async def _run(
    scene: Scene, layer: Path | None, name: str, patch: str, paths: tuple[str, ...] = (), round: int = 0
) -> SuiteReport:
    """Run tests on a checkout of their own: what one run leaves behind must not decide another."""
    checkout = await checkout_of(scene, name, patch)
    report = f"{name}-{round}" if round else name
    return await run_suite(scene, checkout, report, layer=layer, paths=paths)


def _is_best(
    judged: Proof,
    reproduction: Reproduction,
    reproduced: SuiteReport,
    before: SuiteReport,
    suite: SuiteReport,
    error: ErrorDetail,
) -> bool:
    """Whether no other fix could be judged better: it is proved, or would be but for the log or the base.

    A log without an exception type, and a base whose suite says nothing, stay so whatever is asked: then the
    reproduction's own run stands for the suite.
    """
    if proof.run_trouble(before, ""):
        before = suite = reproduced
    typed = replace(error, exception_type=error.exception_type or "an error")
    shown = replace(reproduction.evidence, reasons=())  # as if the log had named a frame
    ideal = proof.judge(shown, reproduced, before, suite, typed)
    return judged.verdict is not Verdict.REFUTED and ideal.verdict is Verdict.PROVED
