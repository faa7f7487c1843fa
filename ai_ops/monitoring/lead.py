"""The line that tells an error only because calls follow it.

``Rejected: no stock`` may be anything; with a call below, it names an exception. So the last lines that are
of no record are remembered, from one chunk to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ai_ops.core.stacktrace import leads
from ai_ops.monitoring.chunk import Chunk
from ai_ops.monitoring.encoding import cleaned
from ai_ops.monitoring.multiline import CUT

LEAD_BYTES = 4096
"""So much of a line is looked at and kept. A longer one is not found again at a start."""


class Lead(NamedTuple):
    """A line of no record, which a call behind it makes an error's: its place, and what stood before it.

    ``between`` is the line that stands between the two, if one does. ``end`` is where the call would begin.
    """

    line: bytes
    offset: int
    tail: bytes
    end: int
    between: bytes | None = None


class Leads:
    """The lines of one chunk that may lead a call; ``before`` are those at the end of the chunk before.

    ``free`` is for the scanner to keep: from there on no line up to the call belongs to a record.
    """

    def __init__(self, chunk: Chunk, before: Sequence[Lead] = ()) -> None:
        self.free = 0
        self._chunk = chunk
        self._before = [lead for lead in before if lead.end == chunk.position]

    def of(self, start: int, line: bytes, within: bytes = b"") -> Lead | None:
        """Return the line before ``start`` that the one there makes an error's, if that is a call.

        ``within`` is the first line of a record that is open.
        """
        for head, between, place in self._last_lines(start):
            if leads(head, line, between, within):
                return self._lead(head, between, place, start)
        return None

    def at(self, end: int) -> list[Lead]:
        """Return the lines before ``end`` that may lead a call there."""
        return [self._lead(*found, end) for found in self._last_lines(end)]

    def forget_before(self) -> None:
        """Forget the lines of the chunk before: they are of a record now."""
        self._before = []

    def _last_lines(self, end: int) -> Iterator[tuple[bytes, bytes | None, int | Lead]]:
        """Yield the last line before ``end`` and the one above it, as far as they are of no record.

        Each with the line that stands between it and ``end``, and with its place in the text or what is known
        of it from the chunk before.
        """
        text, between = self._chunk.text, None
        while end > self.free:
            begin = text.rfind(b"\n", self.free, end - 1) + 1 or self.free
            line = _shortened(cleaned(text[begin : end - 1]))
            yield line, between, begin
            if between is not None:
                return
            between, end = line, begin
        if end == 0:
            for lead in self._before:
                if between is None:
                    yield lead.line, lead.between, lead
                elif lead.between is None:
                    yield lead.line, between, lead

    def _lead(self, line: bytes, between: bytes | None, place: int | Lead, end: int) -> Lead:
        chunk = self._chunk
        if isinstance(place, Lead):
            return place._replace(between=between, end=chunk.offset(end))
        return Lead(line, chunk.offset(place), chunk.tail_at(place), chunk.offset(end), between)


def _shortened(line: bytes) -> bytes:
    return line if len(line) <= LEAD_BYTES else line[:LEAD_BYTES] + CUT
