"""How a run ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_ops.flow.task import Proof, TaskState


@dataclass(frozen=True, slots=True)
class Ending:
    """The task's next state, why in words, what was proved, and further fields of the task."""

    state: TaskState
    reason: str
    proof: Proof = field(default_factory=Proof)
    changes: Mapping[str, Any] = field(default_factory=dict)
