"""What a run found so far, from its recorded steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ai_ops.core.diagnosis import Diagnosis, diagnose, tried_in_vain
from ai_ops.flow.run import Step, StepState
from ai_ops.flow.task import Reason

NOW = datetime(2026, 11, 26, tzinfo=UTC)
FAILING = {"rule": "still_failing", "place": "tests/test_a.py::test_it", "text": "it fails"}
OTHER = {"rule": "new_failure", "place": "", "text": "another fails"}


def step(name: str, round: int = 1, state: StepState = StepState.DONE, **output: Any) -> Step:
    return Step("r1", name, round, state, NOW, output=output or None)


def reproduced(reproduced: bool = True, round: int = 1, cause: str = "No stars.") -> Step:
    reasons = [] if reproduced else [{**FAILING, "rule": "passes_on_base"}]
    said = {"cause": cause, "summary": ""}
    return step(
        "reproduce", round, reproduced=reproduced, paths=["tests/test_a.py"], reasons=reasons, said=said
    )


def answered(cause: str) -> Step:
    return step("fix", said={"cause": cause, "summary": ""}, proof=None)


def judged(name: str, verdict: str, round: int = 1) -> Step:
    return step(name, round, proof={"verdict": verdict, "reasons": [FAILING, OTHER]})


PASSES = "reproduction 1: passes_on_base tests/test_a.py::test_it: it fails"
TOLD = "fix 1: still_failing tests/test_a.py::test_it: it fails, and 1 further reason"


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([], Diagnosis()),
        ([step("checkout", base={}), step("triage", triage_class="code_fault")], Diagnosis()),
        ([reproduced()], Diagnosis("No stars.", ("tests/test_a.py",))),
        (
            [reproduced(reproduced=False)],
            Diagnosis("No stars.", (), (PASSES,)),
        ),
        ([answered(""), judged("guard", "blocked")], Diagnosis(tried=(TOLD,))),
        ([judged("fix", "unproved")], Diagnosis(tried=(TOLD,))),
        ([judged("verify", "refuted")], Diagnosis(tried=(TOLD,))),
        ([judged("verify", "proved")], Diagnosis()),
        ([step("verify", 0, flaky=[])], Diagnosis()),
        (
            [reproduced(), answered("Better known.")],
            Diagnosis("Better known.", ("tests/test_a.py",)),
        ),
        (
            [reproduced(), answered("")],
            Diagnosis("No stars.", ("tests/test_a.py",)),
        ),
        ([reproduced(), step("fix", state=StepState.FAILED)], Diagnosis("No stars.", ("tests/test_a.py",))),
    ],
    ids=[
        "nothing was done", "nothing was found", "reproduced", "not reproduced", "blocked", "no change",
        "refuted", "proved", "the base", "a newer cause", "no newer cause", "a step failed",
    ],
)  # fmt: skip
def test_it_is_what_the_steps_say(steps: list[Step], found: Diagnosis) -> None:
    assert diagnose(steps) == found
    assert bool(found) is (found != Diagnosis())


def test_an_answer_without_a_reason_was_not_good_enough() -> None:
    assert tried_in_vain("fix", 3, []) == "fix 3: not good enough"
    assert tried_in_vain("fix", 3, [Reason("r", "", "x")]) == "fix 3: r: x"
