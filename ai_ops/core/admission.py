"""Whether the queue takes further work: the cap on prompt tasks, and how it closes and opens again.

The cap counts and refuses prompt tasks that are not urgent, those of schedules included. It closes above
``high`` and opens at ``low``, so that it does not flutter. Errors are never refused: while it is closed their
issue waits, and what a person asks to be repaired passes. Pure: who keeps the gate asks here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ai_ops.core.failures import failed
from ai_ops.core.wording import counted
from ai_ops.errors import AiOpsError
from ai_ops.flow.task import Priority, TaskKind, TaskState

COUNTED_STATES: Final = (TaskState.PENDING, TaskState.WAITING_UNBAN)
"""What is pending: what waits for its turn, and what a limit of the model holds up."""


@dataclass(frozen=True, slots=True)
class QueueRules:
    """More than ``high`` pending close the gate; ``low`` or fewer open it. ``high`` 0: it never closes."""

    high: int = 0
    low: int = 0


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the cap is in force, since when, and how many tasks it has refused in that time.

    ``told`` is False while nobody has said that it is open again.
    """

    closed: bool = False
    since: datetime | None = None
    refused: int = 0
    told: bool = True


@dataclass(frozen=True, slots=True)
class Admission:
    """The gate after a wish, why it was refused or None, and a hint for whoever was let in."""

    gate: Gate
    refusal: AiOpsError | None = None
    busy: str = ""


def capped(kind: str, priority: str) -> bool:
    """Return whether the cap is for such a task."""
    return kind == TaskKind.PROMPT and priority != Priority.URGENT


def swung(gate: Gate, pending: int, rules: QueueRules, now: datetime) -> Gate:
    """Return the gate as it is with so many pending."""
    if gate.closed and (pending <= rules.low or not rules.high):
        return replace(gate, closed=False, since=now, told=False)
    if not gate.closed and rules.high and pending > rules.high:
        return Gate(closed=True, since=now)
    return gate


def admit(gate: Gate, pending: int, rules: QueueRules, now: datetime) -> Admission:
    """Return what becomes of the wish for one more task that the cap is for; ``pending`` are there."""
    gate = swung(gate, pending, rules, now)
    if gate.closed:
        refusal = failed(
            "queue_full",
            f"{pending:,} prompt tasks are pending, more than the {rules.high:,} that may be. "
            f"New ones are taken again at {rules.low:,}.",
        )
        return Admission(replace(gate, refused=gate.refused + 1), refusal)
    busy = rules.high and pending > rules.low
    words = f"{counted(pending, 'prompt task')} pending before it; above {rules.high:,} no more are taken."
    return Admission(swung(gate, pending + 1, rules, now), busy=words if busy else "")


def room(gate: Gate, pending: int, rules: QueueRules) -> int | None:
    """Return how many more tasks the cap is for would be let in; None: it never closes."""
    if not rules.high:
        return None
    return 0 if gate.closed else max(0, rules.high + 1 - pending)


def issue_waits(gate: Gate) -> str:
    """Return why the repair that an event calls for does not begin; empty when it may."""
    if not gate.closed:
        return ""
    return "The queue is full. Its repair is queued when the queue takes new work again."
