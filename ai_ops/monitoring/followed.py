"""One file that is being followed: read what is new, join it, know how far it is safe.

Each read begins at the first line that was not used yet, so no half line is remembered. After each read
the first bytes and those before the position are compared with what was read before: a file that was
truncated and grew again is noticed even when it is longer than it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import NamedTuple

from ai_ops.monitoring.checkpoint import (
    HEAD_BYTES,
    TAIL_BYTES,
    Checkpoint,
    digest,
    identity_of,
    still_the_same,
    tail_of,
)
from ai_ops.monitoring.chunk import Chunk
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.encoding import Encoding, cleaned, encoding_of, shortened
from ai_ops.monitoring.lead import LEAD_BYTES
from ai_ops.monitoring.log_file import PACKED, open_log
from ai_ops.monitoring.multiline import CUT, MAX_LINE_BYTES
from ai_ops.monitoring.rotation import family
from ai_ops.monitoring.scan import Scanner

CHUNK_BYTES = 128 << 10
CONTEXT_LINES = 20
_CONTEXT_BYTES = 16 << 10
_CONTEXT_LINE_BYTES = 1000
# A last line without an end is taken as it is when nothing came for this long.
_PARTIAL_SECONDS = 5.0
_NUL_RUN = bytes(16)


class Record(NamedTuple):
    """The joined lines of one error. ``context`` reads the lines before it, if they are wanted.

    ``time`` (Unix seconds) and ``level`` are what the source knows besides the text.
    """

    raw: bytes
    path: str
    identity: str
    offset: int
    context: Callable[[], tuple[bytes, ...]]
    time: float | None = None
    level: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read gave. ``more``: the next one gives something at once."""

    records: list[Record]
    more: bool


class Pace(Enum):
    """How far a file is read, with regard to the memory that open records take.

    ``WAIT``: nothing new, only what is due by time. ``GIVE_WAY``: until its open records end, and they end
    on time even when there are always more lines.
    """

    ON = auto()
    GIVE_WAY = auto()
    WAIT = auto()


class Changed(Exception):
    """The file holds another content than the one that was being read."""


class FollowedFile:
    """Reads one content of one file, from a checkpoint on.

    Args:
        checkpoint: which file, and where to begin.
        detector: which lines begin an error.
        debounce_seconds: how long a record may wait for its lines.

    Raises:
        OSError: it cannot be opened or read.
        Changed: the content is not the one of the checkpoint.
    """

    def __init__(self, checkpoint: Checkpoint, detector: Detector, debounce_seconds: float) -> None:
        self.path = checkpoint.path
        self.place = checkpoint.place
        self.key = checkpoint.key
        self.departed = False
        self._start = checkpoint
        self._identity = checkpoint.identity
        self._position = checkpoint.offset
        self._scanner = Scanner(detector, debounce_seconds)
        self._want = CHUNK_BYTES
        self._pace = Pace.ON
        self._skipping = checkpoint.skipping  # the rest of an over-long line is passed
        self._seen: tuple[int, int] | None = None
        self._length = 0
        self._family: frozenset[str] = frozenset()
        self.seen_at = checkpoint.seen_at
        self._verified_at = time.time()
        self._news_at = time.monotonic()
        self._file = open_log(checkpoint.place, checkpoint.key)
        try:
            self._recall(checkpoint)
        except BaseException:
            self._file.close()
            raise

    def _recall(self, checkpoint: Checkpoint) -> None:
        """Check that it is the file meant, and remember the bytes that tell."""
        if not still_the_same(self._file, checkpoint):
            raise Changed
        self._head = self._file.read_at(0, min(HEAD_BYTES, checkpoint.offset))
        length = min(TAIL_BYTES, checkpoint.offset)
        self._tail = self._file.read_at(checkpoint.offset - length, length)
        self._encoding: Encoding = encoding_of(self._head)
        if self._head and not self._identity:
            self._identity = identity_of(*self.key, checkpoint.generation, self._head)
        if checkpoint.offset and not checkpoint.skipping:
            self._recall_last_lines(checkpoint.offset)

    def _recall_last_lines(self, offset: int) -> None:
        """Tell the scanner what the last lines were: they begin an error if a call comes next."""
        begin, raw = self._bytes_before(offset, LEAD_BYTES)
        text = self._encoding.to_text(raw)
        first = text.find(b"\n", 0, -1) + 1
        if text.endswith(b"\n") and (first or begin == 0):  # else only a part of the line is there
            used = self._encoding.raw_offset(text, first)
            tail = tail_of(b"", raw, used)
            self._scanner.recall(Chunk(text[first:], raw[used:], begin + used, tail, self._encoding))

    @property
    def is_packed(self) -> bool:
        """Whether rotation packed it, so that nobody appends to it."""
        return self.place.endswith(PACKED)

    @property
    def is_cut_short(self) -> bool:
        """Whether it was read to its end and is known to lack the rest of its content."""
        return self._file.is_cut_short

    @property
    def generation(self) -> int:
        """Which of the contents that its inode held this is."""
        return self._start.generation

    @property
    def family(self) -> frozenset[str]:
        """Return the place of the file and all that this may be a rotated form of."""
        if self.place not in self._family:
            self._family = family(self.place)
        return self._family

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def checkpoint(self) -> Checkpoint:
        """How far everything before is done; never inside a record that is still open."""
        offset, tail, skipping = self._position, self._tail, self._skipping
        if self._scanner.is_open:
            (offset, tail), skipping = self._scanner.begin, False
        head = self._head[:offset]
        return Checkpoint(
            *self.key,
            path=self.path,
            offset=offset,
            generation=self._start.generation,
            identity=self._identity,
            head_length=len(head),
            head=digest(head),
            tail_length=len(tail),
            tail=digest(tail),
            seen_at=self.seen_at,
            target=self.place if self.place != self.path else "",
            done_at=self._done_at,
            skipping=skipping,
        )

    @property
    def _done_at(self) -> float:
        at_end = self._seen is not None and self._position == self._length
        return self._verified_at if at_end and not self._scanner.is_open else 0.0

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``, as they are in the file now; fewer only at its end."""
        return self._file.read_at(offset, size)

    @property
    def is_unchanged(self) -> bool:
        """Whether it still holds what was read of it."""
        try:
            self._verify()
        except Changed:
            return False
        return True

    @property
    def idle_seconds(self) -> float:
        """How long nothing new was found; 0 while there is something to read."""
        return time.monotonic() - self._news_at if self._seen is not None else 0.0

    @property
    def is_unlinked(self) -> bool:
        """Whether the file is at no path any more, so that it cannot be opened again."""
        try:
            return self._file.status().st_nlink == 0
        except OSError:
            return True

    @property
    def unread(self) -> int:
        """How many bytes had been there, when it was last looked at, that were not read."""
        return max(0, self._length - self._position)

    @property
    def waits_until(self) -> float | None:
        """When the open record is due, in monotonic seconds; None when there is none."""
        return self._scanner.deadline if self._scanner.is_open else None

    @property
    def open_bytes(self) -> int:
        """How many bytes the open records hold."""
        return self._scanner.size

    def read(self, limit: int, now: float, *, final: bool = False, pace: Pace = Pace.ON) -> Reading | None:
        """Read the next chunk.

        Args:
            limit: how many records may be taken, at least 1; reading stops before the next one.
            now: monotonic seconds.
            final: nothing more will be written: a line without an end counts, an open record ends.
            pace: how far, with regard to what other files hold.

        Returns:
            None when nothing happened.

        Raises:
            Changed: the content was replaced; nothing of this chunk was used.
        """
        status = self._file.status()
        seen = (status.st_size, status.st_mtime_ns)
        end = self._file.end(status)
        looked_at = time.time()
        if seen == self._seen and not final:
            self._verified_at = looked_at
            return self._by_time(now, end)
        if pace is Pace.WAIT:
            return None
        self._pace = pace
        raw = self._file.read_at(self._position, self._want)
        self._verify()
        self._length = self._file.end(status) or 0  # of a packed file it is known at its end
        if self._position:  # else it may be another content already, and nothing tells
            self._verified_at = looked_at
        at_end = len(raw) < self._want
        if raw and not self._identity:
            self._identity = identity_of(*self.key, self._start.generation, raw)
        if self._position == 0:
            self._encoding = encoding_of(raw)
        reading = self._take(raw, at_end, final, limit, now)
        if at_end and not reading.more:
            if seen != self._seen:
                self._news_at = now
            self._seen = seen
        else:
            self._seen = None
        if final and not reading.more:
            reading.records.extend(self.end_record())
        elif pace is Pace.GIVE_WAY and not reading.more:
            reading.records.extend(self._close_due(now))
        return reading

    def end_record(self) -> list[Record]:
        """End the open records, if there are any."""
        return self._given(self._scanner.close())

    def _by_time(self, now: float, end: int | None) -> Reading | None:
        """Do what is due by time alone."""
        if records := self._close_due(now):
            return Reading(records, more=False)
        if end is not None and end > self._position and now - self._news_at > _PARTIAL_SECONDS:
            self._news_at = now
            return self.read(1 << 30, now, final=True)
        return None

    def _verify(self) -> None:
        head, tail = self._head, self._tail
        if self._file.read_at(0, len(head)) != head:
            raise Changed
        if self._file.read_at(self._position - len(tail), len(tail)) != tail:
            raise Changed

    def _take(self, raw: bytes, at_end: bool, final: bool, limit: int, now: float) -> Reading:
        if self._skipping:
            return self._skip(raw, at_end, now)
        if raw.startswith(_NUL_RUN):
            # A writer that kept its offset over a truncation leaves a hole.
            hole = len(raw) - len(raw.lstrip(b"\0"))
            self._advance(raw, hole - hole % self._encoding.unit)
            return Reading([], more=True)
        text = self._encoding.to_text(raw)
        end = text.rfind(b"\n") + 1
        if end == 0 and not at_end and self._want < MAX_LINE_BYTES:
            self._want *= 2
            return Reading([], more=True)
        if end == 0 and not at_end:
            records, used = self._scan(text + CUT + b"\n", raw, limit, now)
            self._skipping = used > 0
            if self._skipping:  # else there is no room for it yet
                self._advance(raw, len(raw))
            return Reading(records, more=True)
        self._want = CHUNK_BYTES
        whole = text + b"\n" if final and at_end and end < len(text) else text[:end]
        records, used = self._scan(whole, raw, limit, now) if whole else ([], 0)
        self._advance(raw, min(len(raw), self._encoding.raw_offset(whole, min(used, len(text)))))
        return Reading(records, more=used < len(whole) or not at_end)

    def _skip(self, raw: bytes, at_end: bool, now: float) -> Reading:
        """Pass the rest of a line whose beginning was taken; its end may never come, so its time counts."""
        line_end = "\n".encode(self._encoding.name)
        end = raw.find(line_end)
        while end > 0 and end % self._encoding.unit:
            end = raw.find(line_end, end + 1)
        whole = len(raw) - len(raw) % self._encoding.unit
        self._advance(raw, end + len(line_end) if end >= 0 else whole)
        if end >= 0:
            self._skipping = False
            self._want = CHUNK_BYTES
        return Reading(self._close_due(now), more=end >= 0 or not at_end)

    def _advance(self, raw: bytes, used: int) -> None:
        """Move the position over ``raw[:used]`` and remember the bytes that tell the file."""
        if len(self._head) < HEAD_BYTES:  # as long as it is short it is all that was used
            self._head = (self._head + raw[: min(used, HEAD_BYTES)])[:HEAD_BYTES]
        self._tail = tail_of(self._tail, raw, used)
        self._position += used

    def _scan(self, text: bytes, raw: bytes, limit: int, now: float) -> tuple[list[Record], int]:
        """Find and join the records of whole lines; return how much of ``text`` was used, too."""
        chunk = Chunk(text, raw, self._position, self._tail, self._encoding)
        found, used = self._scanner.scan(chunk, limit, now, give_way=self._pace is Pace.GIVE_WAY)
        return self._given(found), used

    def _close_due(self, now: float) -> list[Record]:
        is_due = self._scanner.is_open and now >= self._scanner.deadline
        return self._given(self._scanner.close(on_time=True)) if is_due else []

    def _given(self, found: list[tuple[int, bytes]]) -> list[Record]:
        path, identity, context = self.path, self._identity, self._context
        return [Record(raw, path, identity, offset, partial(context, offset)) for offset, raw in found]

    def _bytes_before(self, offset: int, most: int) -> tuple[int, bytes]:
        """Return up to ``most`` bytes before ``offset``, whole characters, and where they begin."""
        begin = max(self._file.first, offset - most)
        begin += begin % self._encoding.unit
        return begin, self._file.read_at(begin, max(0, offset - begin))

    def _context(self, offset: int) -> tuple[bytes, ...]:
        """Return up to ``CONTEXT_LINES`` whole lines before ``offset``."""
        try:
            begin, raw = self._bytes_before(offset, _CONTEXT_BYTES)
        except (OSError, ValueError):  # gone, or closed meanwhile
            return ()
        text = self._encoding.to_text(raw)
        lines = text.split(b"\n")[0 if begin == 0 else 1 : -1]
        return tuple(shortened(cleaned(line), _CONTEXT_LINE_BYTES) for line in lines[-CONTEXT_LINES:])
