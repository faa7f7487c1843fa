"""How a run ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_ops.flow.task import Proof, Reason, TaskState


@dataclass(frozen=True, slots=True)
class Ending:
    """The task's next state, why in words, what was proved, and further fields of the task.

    ``held`` is the command, behind its rule, that a person has to decide about: they are told by mail.
    """

    state: TaskState
    reason: str
    proof: Proof = field(default_factory=Proof)
    changes: Mapping[str, Any] = field(default_factory=dict)
    held: str = ""


def waits_for_person(found: str) -> Ending:
    """Return how a run ends that met a command which a person has to look at."""
    rule, _, text = found.partition(": ")
    proof = Proof(None, (Reason(rule, "", text, "blocked"),))
    return Ending(TaskState.NEEDS_HUMAN_REVIEW, f"a command waits for a person: {found}", proof, held=found)
