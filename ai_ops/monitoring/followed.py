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

from ai_ops.core.stacktrace import leads
from ai_ops.monitoring.checkpoint import (
    HEAD_BYTES,
    TAIL_BYTES,
    Checkpoint,
    digest,
    identity_of,
    still_the_same,
)
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.encoding import Encoding, cleaned, encoding_of, shortened
from ai_ops.monitoring.log_file import PACKED, open_log
from ai_ops.monitoring.multiline import CUT, MAX_LINE_BYTES, Fed, Joiner, stands_alone
from ai_ops.monitoring.plain import plain_end
from ai_ops.monitoring.rotation import family
from ai_ops.monitoring.search import Hits

CHUNK_BYTES = 128 << 10
CONTEXT_LINES = 20
_CONTEXT_BYTES = 16 << 10
_CONTEXT_LINE_BYTES = 1000
# A last line without an end is taken as it is when nothing came for this long.
_PARTIAL_SECONDS = 5.0
_NUL_RUN = bytes(16)
_LEAD_BYTES = 4096


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


class _Lead(NamedTuple):
    """A line of no record, which a call behind it makes an error's: its place, what stood before, its end."""

    line: bytes
    offset: int
    tail: bytes
    end: int


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
        self._detector = detector
        self._joiner = Joiner(debounce_seconds)
        self._open_tail = b""
        self._before: _Lead | None = None  # the last line that was read, when it is of no record
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
        if self._joiner.is_open:
            offset, tail, skipping = self._joiner.offset, self._open_tail, False
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
        return self._verified_at if at_end and not self._joiner.is_open else 0.0

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
        return self._joiner.deadline if self._joiner.is_open else None

    @property
    def open_bytes(self) -> int:
        """How many bytes the open records hold."""
        return self._joiner.size if self._joiner.is_open else 0

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
        return self._close() if self._joiner.is_open else []

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
        records: list[Record] = []
        if end == 0 and not at_end:
            self._skipping = self._scan(text + CUT + b"\n", raw, records, limit, now) > 0
            if self._skipping:  # else there is no room for it yet
                self._advance(raw, len(raw))
            return Reading(records, more=True)
        self._want = CHUNK_BYTES
        whole = text + b"\n" if final and at_end and end < len(text) else text[:end]
        used = self._scan(whole, raw, records, limit, now) if whole else 0
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
        self._tail = self._tail_at(raw, used)
        self._position += used

    def _tail_at(self, raw: bytes, used: int) -> bytes:
        recent = raw[max(0, used - TAIL_BYTES) : used]
        return recent if len(recent) == TAIL_BYTES else (self._tail + recent)[-TAIL_BYTES:]

    def _scan(self, text: bytes, raw: bytes, records: list[Record], limit: int, now: float) -> int:
        """Find and join the records of whole lines; return how much of ``text`` was used."""
        hits = self._detector.hits(text)
        joiner, before = self._joiner, self._before
        self._before = None
        position, size = 0, len(text)
        free = 0  # from here on no line belongs to a record
        while position < size:
            if joiner.is_open or joiner.has_late:
                end = text.find(b"\n", position)
                line = cleaned(text[position:end])
                is_error = partial(self._is_error, hits, position, end, line)
                if not joiner.is_open:
                    if joiner.is_late(line, is_error):
                        position = end + 1
                    free = position
                    continue
                if free < position and leads(cleaned(text[free : position - 1][-_LEAD_BYTES:]), line):
                    records.extend(self._close())  # what was taken for a stranger is another error
                    continue
                fed = joiner.feed(line, is_error)
                if fed is Fed.BESIDE and joiner.has_room(now, limit - len(records)):
                    joiner.begin(line, self._position + self._encoding.raw_offset(text, position), now)
                elif fed in (Fed.BESIDE, Fed.OVER):
                    records.extend(self._close())
                    limit = len(records) if self._pace is Pace.GIVE_WAY else limit
                    free = position
                    continue
                free = position if fed is Fed.STRANGER else end + 1
                position = end + 1
                continue
            hit = hits.next(position)
            if hit < 0:
                break
            start = text.rfind(b"\n", position, hit) + 1 or position
            end = text.find(b"\n", hit)
            line = cleaned(text[start:end])
            if self._detector.is_error(line):
                if len(records) >= limit:
                    return start
                at = self._encoding.raw_offset(text, start)
                if stands_alone(line, text, end + 1):
                    records.append(self._record_of(line, self._position + at))
                elif (stop := plain_end(line, text, end + 1, self._detector.is_error)) >= 0:
                    records.append(self._record_of(line + text[end:stop], self._position + at))
                    end = stop
                else:
                    self._open_tail = self._tail_at(raw, at)
                    joiner.begin(line, self._position + at, now)
                free = end + 1
            elif (lead := self._lead(text, raw, free, start, before)) and leads(lead.line, line):
                if len(records) >= limit:
                    self._before = lead
                    return start
                self._open_tail = lead.tail
                joiner.begin(lead.line, lead.offset, now)
                free = position = start  # the call joins it
                continue
            position = end + 1
        if not joiner.is_open:
            self._before = self._lead(text, raw, free, size, None)
        return size

    def _lead(self, text: bytes, raw: bytes, free: int, start: int, before: _Lead | None) -> _Lead | None:
        """Return the line before ``start``, when it is of no record; ``before`` stood before ``text``."""
        if start <= free:
            return before if start == 0 and before and before.end == self._position else None
        begin = text.rfind(b"\n", free, start - 1) + 1 or free
        at, end = (self._position + self._encoding.raw_offset(text, place) for place in (begin, start))
        line = cleaned(text[begin : start - 1][:_LEAD_BYTES])
        return _Lead(line, at, self._tail_at(raw, at - self._position), end)

    def _is_error(self, hits: Hits, position: int, end: int, line: bytes) -> bool:
        return 0 <= hits.next(position) < end and self._detector.is_error(line)

    def _close_due(self, now: float) -> list[Record]:
        return self._close(on_time=True) if self._joiner.is_open and now >= self._joiner.deadline else []

    def _close(self, *, on_time: bool = False) -> list[Record]:
        return [self._record_of(raw, offset) for offset, raw in self._joiner.close(on_time=on_time)]

    def _record_of(self, raw: bytes, offset: int) -> Record:
        return Record(raw, self.path, self._identity, offset, partial(self._context, offset))

    def _context(self, offset: int) -> tuple[bytes, ...]:
        """Return up to ``CONTEXT_LINES`` whole lines before ``offset``."""
        begin = max(self._file.first, offset - _CONTEXT_BYTES)
        begin += begin % self._encoding.unit
        try:
            text = self._encoding.to_text(self._file.read_at(begin, max(0, offset - begin)))
        except (OSError, ValueError):  # gone, or closed meanwhile
            return ()
        lines = text.split(b"\n")[0 if begin == 0 else 1 : -1]
        return tuple(shortened(cleaned(line), _CONTEXT_LINE_BYTES) for line in lines[-CONTEXT_LINES:])
