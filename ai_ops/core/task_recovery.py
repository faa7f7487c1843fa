"""What a prompt task goes on with after its worker died or a limit cut it off: a rule for each type.

A ``lightweight`` task begins again: it changes nothing and costs little. ``medium_context`` begins again with
its edits in place and the last lines of its output in the prompt. ``heavy_context`` works in chunks and goes
on in its Claude session from the last checkpoint.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from ai_ops.core.transcript import Transcript
from ai_ops.flow.run import TraceEvent
from ai_ops.flow.task import TaskType

MOST_LINES: Final = 500
MOST_CHUNKS: Final = 50
"""After so many pieces a task is not at work, it is lost."""
CHUNK_TURNS: Final = 40
PLAIN_TURNS: Final = 100

_MOST_LINE = 2000


class Recovery(StrEnum):
    """How a task goes on that was cut off."""

    RESTART = "restart"
    LAST_LINES = "last_lines"
    CHECKPOINT = "checkpoint"


BY_TYPE: Final[Mapping[TaskType, Recovery]] = {
    TaskType.LIGHTWEIGHT: Recovery.RESTART,
    TaskType.MEDIUM_CONTEXT: Recovery.LAST_LINES,
    TaskType.HEAVY_CONTEXT: Recovery.CHECKPOINT,
}


class LastLines:
    """The end of what a run put out, fed event by event; it holds no more than it gives."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MOST_LINES)

    def add(self, events: Iterable[TraceEvent]) -> None:
        """Take events in their order; what is no output of Claude or its tools is passed over."""
        for event in events:
            told = Transcript()
            told.add(event.kind, event.data)
            self._lines.extend(line[:_MOST_LINE] for line in told.text.splitlines())

    @property
    def text(self) -> str:
        """The last lines; empty when there was no output."""
        return "\n".join(self._lines)
