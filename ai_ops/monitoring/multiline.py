"""Join the lines of one error into one record.

A record begins at a line that was taken for an error and takes the lines that belong to it: the frames
of its trace, a trace that directly follows a message, indented lines. Its time is counted from its first
line and never restarted, so that a slow or endless writer cannot hold it back.

Several writers may share a file, so several records may be open at once. They are given out together
when the last of them is over: only then is everything up to one place in the file done.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from functools import lru_cache

from ai_ops.core.envelope import writer_of
from ai_ops.core.stacktrace import NEEDLES, Follower, Verdict, lacks_prefix

# With the marker and the server's own redaction an excerpt stays below the 1 MiB that it accepts.
MAX_LINE_BYTES = 1 << 20
MAX_RECORD_BYTES = (1 << 20) - 4096
CUT = b" ... [cut]"
# Lines that no record claims may stand between those of a trace; this many are stepped over, and more
# of those that plainly are another writer's.
_STRANGERS = 3
_OTHERS = 100
_MAX_TOGETHER = 8
_DATE_BYTES = 5
_WRITER_BYTES = 1024
# What a line is to a trace shows in so much of it, even when Docker wrote it as JSON.
_TELLING_BYTES = 128 << 10
_NO_DIGITS = bytes(byte for byte in range(256) if byte not in b"0123456789")
# Lines that differ in their digits alone are one for whoever looks for words: most lines come again so.
EACH_DIGIT_0 = bytes.maketrans(b"123456789", b"000000000")
_REMEMBERED_BYTES = 512
# A time as most loggers write it, then levels and names, and a letter that can begin no more of them.
_COMMON_HEAD = re.compile(
    rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{3,6})? "
    rb"((?:\[[^\[\]\n]{1,80}\] |[A-Z]{3,11} ){1,4})(?=[a-oq-z])"
)


class Fed(Enum):
    """What became of a line.

    It joined, it is a stranger within a record, every record is over, or it begins a record of another
    writer beside those that are open.
    """

    JOINED = auto()
    STRANGER = auto()
    OVER = auto()
    BESIDE = auto()


class _Record:
    """One open record; ``led`` when only a later line makes its first one an error's."""

    def __init__(self, line: bytes, offset: int, *, led: bool) -> None:
        self.offset = offset
        self._led = led
        self.size = 0
        self.strangers = 0
        self._others = 0
        self._lines: list[bytes] = []
        self._take(line)
        self._sure = 1  # so many of the lines belong for certain
        self._follower: Follower | None = None
        # Lines that begin with the same date are records of their own, unless even frames begin with it.
        self._date = date_of(line)
        self._bare = False
        self._writer: str | None = None

    @property
    def follower(self) -> Follower:
        """Made when the second line comes; most errors have none."""
        follower = self._follower
        if follower is None:
            follower = self._follower = Follower(self._lines[0][:_TELLING_BYTES])
        return follower

    @property
    def first_line(self) -> bytes:
        return self._lines[0]

    @property
    def in_trace(self) -> bool:
        return bool(self.follower.language)

    @property
    def text(self) -> bytes:
        return b"\n".join(self._lines[: self._sure])

    @property
    def writer(self) -> str:
        if self._writer is None:
            self._writer = writer_of_line(self._lines[0])
        return self._writer

    def verdict(self, line: bytes) -> Verdict:
        if len(self._lines) == 1 and not self._led and is_next(self.first_line, line, self._date):
            return Verdict.FOREIGN
        if self._bare and line.startswith(self._date) and not names_trace(line):
            return Verdict.FOREIGN
        if self.strangers and (not line.strip() or self.follower.is_blank(line)):
            return Verdict.FOREIGN
        return self.follower.verdict(line[:_TELLING_BYTES])

    def join(self, line: bytes, verdict: Verdict) -> None:
        self._take(line)
        if verdict is Verdict.BELONGS:
            self._sure = len(self._lines)
            self._bare = not (line.startswith(self._date) or lacks_prefix(line))
            return
        follower = self.follower
        follower.pending += 1
        indented = line[:1] in (b" ", b"\t") and line.strip()
        if not follower.language and indented and self._sure == len(self._lines) - 1:
            self._sure += 1

    def bears(self, line: bytes) -> bool:
        """Count a line that nobody claimed; return whether the record waits on."""
        other = bool(self.writer) and writer_of_line(line) not in ("", self.writer)
        self._others += other
        self.strangers += not other
        return self.strangers <= _STRANGERS and self._others <= _OTHERS

    def _take(self, line: bytes) -> None:
        room = MAX_RECORD_BYTES - self.size
        if room <= 0:
            return  # the marker stands already
        if len(line) > room:
            line = line[:room] + CUT
        self._lines.append(line)
        self.size += len(line) + 1


class Joiner:
    """Joins the lines of one file.

    Args:
        debounce_seconds: how long a record may wait for its lines.
    """

    def __init__(self, debounce_seconds: float) -> None:
        self._debounce = debounce_seconds
        self._open: list[_Record] = []
        self._over: list[_Record] = []
        self._late: list[Follower] = []
        self._until = 0.0
        self.deadline = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a record waits for more lines."""
        return bool(self._open)

    @property
    def first_line(self) -> bytes:
        """The first line of the record that was opened last; nothing when none is open."""
        return self._open[-1].first_line if self._open else b""

    @property
    def has_late(self) -> bool:
        """Whether the next line may be the rest of a record that was closed on time."""
        return bool(self._late)

    @property
    def size(self) -> int:
        """How many bytes of lines the records hold that were not given out."""
        return sum(record.size for record in (*self._over, *self._open))

    @property
    def offset(self) -> int:
        """Where the first of the records begins that were not given out."""
        return min(record.offset for record in (*self._over, *self._open))

    def has_room(self, now: float, most: int) -> bool:
        """Whether one more record may be opened beside the others; ``most`` records may be given out."""
        together = len(self._over) + len(self._open)
        return now <= self._until and together < min(most, _MAX_TOGETHER) and self.size < MAX_RECORD_BYTES

    def begin(self, line: bytes, offset: int, now: float, *, led: bool = False) -> None:
        """Open a record with its first line.

        Args:
            line: without its newline.
            offset: its place.
            now: monotonic seconds.
            led: it is an error's only because of a line that follows.
        """
        self._late = []
        self.deadline = now + self._debounce
        if not self._open:
            self._until = self.deadline
        self._open.append(_Record(line, offset, led=led))

    def feed(self, line: bytes, is_error: Callable[[], bool]) -> Fed:
        """Offer the next line of the file to the open records.

        Args:
            line: without its newline.
            is_error: whether it could begin a record of its own; asked only when that matters.

        Returns:
            On ``BESIDE`` the caller calls ``begin`` with this line, or ``close`` when there is no room.
        """
        perhaps: _Record | None = None
        for record in self._askable():
            verdict = record.verdict(line)
            if verdict is Verdict.BELONGS:
                record.join(line, verdict)
                return Fed.JOINED
            if verdict is Verdict.MAYBE and (perhaps is None or record.offset > perhaps.offset):
                perhaps = record
        # A line that only may belong, and can stand for itself, does.
        if not (perhaps and perhaps.follower.is_blank(line)) and is_error():
            return self._another(line)
        if perhaps:
            perhaps.join(line, Verdict.MAYBE)
            return Fed.JOINED
        return self._stranger(line)

    def close(self, *, on_time: bool = False) -> list[tuple[int, bytes]]:
        """End the records and return their offsets and lines.

        ``on_time``: the time was up, more of those that are open may follow.
        """
        self._late = [record.follower for record in self._open if on_time and record.in_trace]
        records = sorted((record.offset, record.text) for record in (*self._over, *self._open))
        self._open, self._over = [], []
        return records

    def is_late(self, line: bytes, is_error: Callable[[], bool]) -> bool:
        """Whether a line is the rest of a record that was closed on time just before."""
        for follower in self._late:
            verdict = follower.verdict(line)
            certain = verdict is Verdict.BELONGS
            if certain or (verdict is Verdict.MAYBE and not is_error()):
                follower.pending += not certain
                return True
        self._late = []
        return False

    def _askable(self) -> list[_Record]:
        """Return the open records in the order in which a line is offered: the latest first.

        Those within a trace know their lines; one that only waits for a trace would take any.
        """
        if len(self._open) == 1:
            return self._open
        return sorted(self._open, key=lambda record: (record.in_trace, record.offset), reverse=True)

    def _another(self, line: bytes) -> Fed:
        """End the records that this error ends: those of its own writer."""
        others = [record for record in self._open if record.in_trace and record.writer]
        if others:
            writer = writer_of_line(line)
            others = [record for record in others if writer and record.writer != writer]
        return Fed.BESIDE if self._keep(others) else Fed.OVER

    def _stranger(self, line: bytes) -> Fed:
        """Count a line that nobody claimed; a record bears a few of them."""
        kept = [record for record in self._open if record.in_trace and record.bears(line)]
        return Fed.STRANGER if self._keep(kept) else Fed.OVER

    def _keep(self, records: list[_Record]) -> bool:
        if records:
            self._over += [record for record in self._open if record not in records]
            self._open = records
        return bool(records)


def is_next(line: bytes, following: bytes, date: bytes) -> bool:
    """Whether a line begins with the date of the one before it, and neither could begin a trace."""
    return bool(date) and following.startswith(date) and not names_trace(line) and not names_trace(following)


def names_trace(line: bytes) -> bool:
    """Whether a line could begin a trace; those who know traces decide."""
    return _seen_to_name(line.translate(EACH_DIGIT_0)) if len(line) <= _REMEMBERED_BYTES else _names(line)


def _names(line: bytes) -> bool:
    for needle in NEEDLES:  # noqa: SIM110 - a plain loop: this is done for every error
        if needle in line:
            return True
    return False


_seen_to_name = lru_cache(maxsize=256)(_names)  # no needle has a digit


def writer_of_line(line: bytes) -> str:
    """Return what a line says about the process and thread that wrote it, or ''."""
    common = _COMMON_HEAD.match(line)
    if common:
        return _writer_of_common(common.group(1))
    head = line[:_WRITER_BYTES]
    named = b"[" in head or b"|" in head or head[:1] == b"{" or head.translate(None, _NO_DIGITS)
    if not named:
        return ""  # nothing in it could name one
    return writer_of(head.decode("latin-1"))


@lru_cache(maxsize=64)
def _writer_of_common(names: bytes) -> str:
    return writer_of(f"2000-01-01 00:00:00 {names.decode('latin-1')}a")


def date_of(line: bytes) -> bytes:
    """Return how a dated line begins; nothing when it has no date."""
    begin = line[:_DATE_BYTES]
    return begin if begin.translate(None, _NO_DIGITS) else b""
