"""What a run found out so far, read from its recorded steps: whatever stops it, that is not lost.

A run whose money is spent, that failed or that waits has no report yet, or never gets one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai_ops.core.wording import counted
from ai_ops.flow.run import Step, StepState
from ai_ops.flow.task import Reason, Verdict

_JUDGING = ("fix", "guard", "verify")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The cause as the fixer named it last, the tests that show the error, and what was tried in vain."""

    cause: str = ""
    reproduction: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.cause or self.reproduction or self.tried)


def diagnose(steps: Iterable[Step]) -> Diagnosis:
    """Return what the steps of a repair have found, in the order in which they were done."""
    cause, reproduction, tried = "", (), []
    for step in steps:
        output = step.output or {}
        if step.state is not StepState.DONE:
            continue
        cause = _cause(output) or cause
        if step.name == "reproduce":
            if output.get("reproduced"):
                reproduction = tuple(output["paths"])
            else:
                tried.append(tried_in_vain("reproduction", step.round, _reasons(output)))
        elif step.name in _JUDGING and (proof := output.get("proof")) and proof["verdict"] != Verdict.PROVED:
            tried.append(tried_in_vain("fix", step.round, _reasons(proof)))
    return Diagnosis(cause, reproduction, tuple(tried))


def tried_in_vain(what: str, round: int, reasons: Sequence[Reason]) -> str:
    """Return what came of an answer that was not good enough, for people."""
    if not reasons:
        return f"{what} {round}: not good enough"
    first, *others = reasons
    where = f" {first.place}" if first.place else ""
    more = f", and {counted(len(others), 'further reason')}" if others else ""
    return f"{what} {round}: {first.rule}{where}: {first.text}{more}"


def _cause(output: Mapping[str, Any]) -> str:
    return str((output.get("said") or {}).get("cause", ""))


def _reasons(value: Mapping[str, Any]) -> list[Reason]:
    return [Reason(each["rule"], each["place"], each["text"]) for each in value["reasons"]]
