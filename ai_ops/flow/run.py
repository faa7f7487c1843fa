"""Run, Step and what a trace is made of. A run is one attempt at a task; its id is the trace id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class StepState(StrEnum):
    """A step is started, then done or failed; a step started again counts a further entry."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls used. Money in US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Sum two usages."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at a task. ``outcome`` is the task state it ended in, empty while it runs."""

    id: str
    task_id: str
    number: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded stage of a run, unique by (run, name, round).

    ``entries`` counts how often it was begun: more than once after a crash or a retry.
    """

    run_id: str
    name: str
    round: int
    state: StepState
    started_at: datetime
    ended_at: datetime | None = None
    entries: int = 1
    output: dict[str, Any] | None = None
    failure: dict[str, str] | None = None
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One line of a run's history, numbered without gaps by ``seq`` within the database.

    ``kind`` is ``step``, ``text``, ``tool_use``, ``tool_result``, ``error`` or ``complete``.
    """

    seq: int
    run_id: str
    at: datetime
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A named text kept with a run, redacted. ``name`` is unique within the run."""

    run_id: str
    name: str
    media_type: str
    text: str
    created_at: datetime
