"""What a parsed trace is, and what each language offers: the protocol that its module fulfils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from ai_ops.flow.event import Frame

_OUTERMOST = 100
_INNERMOST = 200


@dataclass(frozen=True, slots=True)
class ParsedTrace:
    """One stack trace, as it was printed.

    ``exception_type`` and ``message`` are those of the exception that escaped. ``cause_types`` are the
    exceptions behind it, nearest first. ``frames`` lead, outermost call first, to where the root cause
    was raised; of more than 300 the middle is left out. ``header`` is the log text before the trace.
    """

    language: str
    exception_type: str
    message: str
    frames: tuple[Frame, ...]
    cause_types: tuple[str, ...] = ()
    header: str = ""


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain. ``explicit`` is true when it was raised ``from`` the one before it."""

    type: str
    message: str
    frames: tuple[Frame, ...]
    explicit: bool = False
    column: int = 0
    branch: int = 0


class Verdict(Enum):
    """What a line is to the record before it."""

    BELONGS = auto()
    MAYBE = auto()
    FOREIGN = auto()


class LineReader(Protocol):
    """Says of each line after the first whether it belongs to the trace.

    Only a line that ``BELONGS`` changes the reader, so that others may be asked about it too.
    """

    def step(self, line: str) -> Verdict:
        """Take one line without its envelope."""
        ...


class Language(Protocol):
    """What the module of one language offers.

    ``NAME`` stands in events. ``NEEDLES``: a line that ``start`` takes holds one of them. ``MARKS``: a
    record in which ``parse`` finds something holds one of them.
    """

    @property
    def NAME(self) -> str: ...  # noqa: D102

    @property
    def NEEDLES(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def MARKS(self) -> tuple[str, ...]: ...  # noqa: D102

    def start(self, line: str) -> int | None:
        """Return the column where a trace may begin on this line, behind any log prefix, or None."""
        ...

    def is_frame(self, line: str) -> bool:
        """Return whether a line is a frame, so that a trace goes on here whatever stood before it."""
        ...

    def reader(self, first: str) -> LineReader:
        """Return the reader of a trace that begins with this line, its prefix taken off."""
        ...

    def parse(self, lines: list[str]) -> ParsedTrace | None:
        """Return the trace in the lines of one record, or None when it holds none of this language."""
        ...


def clip(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Return the frames, without the middle when they are very many."""
    kept = tuple(frames)
    return kept if len(kept) <= _OUTERMOST + _INNERMOST else kept[:_OUTERMOST] + kept[-_INNERMOST:]


def graft(outer: tuple[Frame, ...], inner: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Join two paths: ``outer`` down to the call that ``inner`` begins with, then ``inner``."""
    if not inner:
        return outer
    for index in range(len(outer) - 1, -1, -1):
        if (outer[index].file, outer[index].function) == (inner[0].file, inner[0].function):
            return outer[:index] + inner
    return outer + inner
