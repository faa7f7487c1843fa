"""Lines out of chunks, with bounded memory: of an over-long line the beginning is kept, with a marker."""

from __future__ import annotations

from collections.abc import Iterator

from ai_ops.monitoring.multiline import CUT, MAX_LINE_BYTES


class LineSplitter:
    """Splits one byte stream at its newlines.

    Args:
        limit: bytes of a line that are kept.
    """

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._skipped = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield each whole line without its end, and how many bytes of the stream it was."""
        *lines, tail = chunk.split(b"\n")
        for line in lines:
            self._keep(line)
            yield self._take(1)
        self._keep(tail)

    def end(self) -> Iterator[tuple[bytes, int]]:
        """Yield the last line, if it has no end."""
        if self._rest:
            yield self._take(0)

    def _keep(self, part: bytes) -> None:
        room = self._limit + 1 - len(self._rest)
        self._rest += part[:room]
        self._skipped += max(0, len(part) - room)

    def _take(self, newline: int) -> tuple[bytes, int]:
        size = len(self._rest) + self._skipped + newline
        line = bytes(self._rest)
        self._rest.clear()
        self._skipped = 0
        return capped(line.removesuffix(b"\r"), self._limit), size


def capped(text: bytes, limit: int = MAX_LINE_BYTES) -> bytes:
    """Return a text of at most ``limit`` bytes; a cut is marked."""
    return text if len(text) <= limit else text[:limit] + CUT
