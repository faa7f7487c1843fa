"""What most languages share: a first line, perhaps more of its message, then frames.

A message may go on over several lines, and only a frame behind them proves that it did.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from ai_ops.core.envelope import without_envelope
from ai_ops.core.logline import begins_record
from ai_ops.core.stacktrace.model import Verdict


class Part(Enum):
    """What a line is within a trace: a frame or what stands between frames, or a further exception."""

    FRAME = auto()
    LINK = auto()


class MessageThenFrames:
    """Reads the traces that begin with an exception's type and message.

    Args:
        part_of: tells what a line is, None when nothing.
        in_message: whether the first line may go on in the next.
        owed: whether the first line only announces the message, so that the next one is it.
    """

    def __init__(
        self, part_of: Callable[[str], Part | None], *, in_message: bool, owed: bool = False
    ) -> None:
        self._part_of = part_of
        self._in_message = in_message
        self._owed = owed

    def step(self, line: str) -> Verdict:
        """Take one line without its envelope."""
        part = self._part_of(line)
        if part is not None:
            self._in_message, self._owed = part is Part.LINK, False
            return Verdict.BELONGS
        if self._owed and line.strip() and not begins_record(line):
            self._owed = False
            return Verdict.BELONGS
        if self._in_message and not begins_record(line):
            return Verdict.MAYBE
        return Verdict.FOREIGN


def bare(lines: list[str], start: Callable[[str], int | None], is_frame: Callable[[str], bool]) -> list[str]:
    """Return the lines without the prefix that some loggers put before every one of them."""
    if any(map(is_frame, lines)):
        return lines
    for at, line in enumerate(lines):
        column = start(line)
        if column:
            trace = without_envelope([line[column:], *lines[at + 1 :]], line[:column])
            return [*lines[:at], line, *trace[1:]]
    return lines
