"""The bytes of ``GET /containers/{id}/logs`` with time stamps: frames, lines, and the time of each.

Without a terminal the engine puts each message into a frame: a byte for stdout or stderr, three zeros, four
bytes of length. A long line comes in several frames, each with a stamp of its own. With a terminal there are
no frames, and stdout is all there is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

from ai_ops.core.failures import failed
from ai_ops.monitoring.sources.lines import LineSplitter

_HEADER = 8
_FRAME_BYTES = 1 << 20
_NAMES = {0: "stdout", 1: "stdout", 2: "stderr"}
_STAMP_BYTES = 40


class LogLine(NamedTuple):
    """One line. ``at`` is its time in nanoseconds since 1970."""

    stdio: str
    at: int
    text: bytes


class _Lines:
    """The lines of one stdio."""

    def __init__(self, stdio: str) -> None:
        self._stdio = stdio
        self._splitter = LineSplitter()
        self._at = 0
        self._open = False

    def feed(self, data: bytes, *, frame: bool) -> list[LogLine]:
        """Take a frame, or a piece of a stream without frames."""
        if frame and self._open:
            data = split_stamp(data)[1]  # the rest of a long line
        self._open = not data.endswith(b"\n")
        return [self._line(line) for line, _ in self._splitter.feed(data)]

    def end(self) -> list[LogLine]:
        return [self._line(line) for line, _ in self._splitter.end()]

    def _line(self, line: bytes) -> LogLine:
        at, text = split_stamp(line)
        self._at = self._at if at is None else at
        return LogLine(self._stdio, self._at, text)


async def log_lines(body: AsyncIterator[bytes], *, terminal: bool) -> AsyncIterator[LogLine]:
    """Yield the lines of an answer.

    Raises:
        TemporaryError: ``source_failed``: what came has no frames.
    """
    lines = {name: _Lines(name) for name in ("stdout", "stderr")}
    if terminal:
        async for chunk in body:
            for line in lines["stdout"].feed(chunk, frame=False):
                yield line
    else:
        async for stdio, payload in _frames(body):
            for line in lines[stdio].feed(payload, frame=True):
                yield line
    for rest in lines.values():
        for line in rest.end():
            yield line


async def _frames(body: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, bytes]]:
    buffer = bytearray()
    async for chunk in body:
        buffer += chunk
        while len(buffer) >= _HEADER:
            size = int.from_bytes(buffer[4:_HEADER], "big")
            if buffer[0] not in _NAMES or any(buffer[1:4]) or size > _FRAME_BYTES:
                raise failed("source_failed", "the container's log is not framed as expected")
            if len(buffer) < _HEADER + size:
                break
            yield _NAMES[buffer[0]], bytes(buffer[_HEADER : _HEADER + size])
            del buffer[: _HEADER + size]


def split_stamp(line: bytes) -> tuple[int | None, bytes]:
    """Return the time that a line begins with, in nanoseconds, and the rest; None when it has none."""
    stamp, _, text = line.partition(b" ")
    if len(stamp) > _STAMP_BYTES:
        return None, line
    words = stamp.decode("latin-1")
    seconds, dot, rest = words.partition(".")
    digits = rest.rstrip("Z").partition("+")[0].partition("-")[0] if dot else ""
    zone = rest[len(digits) :] if dot else ""
    try:
        moment = datetime.fromisoformat(seconds + zone)
    except ValueError:
        return None, line
    if moment.tzinfo is None or (dot and not digits.isdecimal()):
        return None, line
    return int(moment.timestamp()) * 1_000_000_000 + int(digits.ljust(9, "0")[:9] or 0), text
