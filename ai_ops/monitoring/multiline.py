"""Join the lines of one error into one record.

A record begins at a line that was taken for an error and takes the lines that belong to it: the frames
of its trace, a trace that directly follows a message, indented lines. Its time is counted from its first
line and never restarted, so that a slow or endless writer cannot hold it back.
"""

from __future__ import annotations

from enum import Enum, auto

from ai_ops.core import logline, stacktrace

# With the marker and the server's own redaction an excerpt stays below the 1 MiB that it accepts.
MAX_LINE_BYTES = 1 << 20
MAX_RECORD_BYTES = (1 << 20) - 4096
CUT = b" ... [cut]"
# Other threads and processes may write between the lines of a trace; this many are stepped over.
_STRANGERS = 3
_DATE_BYTES = 5
_NO_DIGITS = bytes(byte for byte in range(256) if byte not in b"0123456789")


class Fed(Enum):
    """What became of a line: it joined, it is a stranger within the record, or the record is over."""

    JOINED = auto()
    STRANGER = auto()
    OVER = auto()


class Joiner:
    """Joins the lines of one file; at most one record is open at a time."""

    def __init__(self, debounce_seconds: float) -> None:
        self._debounce = debounce_seconds
        self._lines: list[bytes] = []
        self._sure = 0  # so many of the lines belong for certain
        self._bytes = 0
        self._strangers = 0
        self._follower: stacktrace.Follower | None = None
        self._date = b""
        self._bare = False
        self._late: stacktrace.Follower | None = None
        self.offset = 0
        self.deadline = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a record waits for more lines."""
        return bool(self._lines)

    @property
    def has_late(self) -> bool:
        """Whether the next line may be the rest of a record that was closed on time."""
        return self._late is not None

    def begin(self, line: bytes, offset: int, now: float) -> None:
        """Open a record with its first line; ``offset`` is its place, ``now`` monotonic seconds."""
        self._lines, self._sure, self._bytes = [], 0, 0
        self._take(line)
        self._sure = 1
        self._strangers = 0
        self._late = None
        self.offset = offset
        self.deadline = now + self._debounce
        self._follower = None
        # Lines that begin with the same date are records of their own, unless even frames begin with it.
        self._date = _date(line)
        self._bare = False

    def feed(self, line: bytes, is_error: bool) -> Fed:
        """Offer the next line of the file to the open record.

        Args:
            line: without its newline.
            is_error: whether it could begin a record of its own.
        """
        follower = self._follower
        if follower is None:
            follower = self._follower = _follower_of(self._lines[0])
        elif self._bare and line.startswith(self._date) and not _names_trace(line):
            return Fed.OVER if is_error else self._refuse(line, is_error)
        if (self._strangers and not line.strip()) or not follower.accept(line):
            return self._refuse(line, is_error)
        if follower.pending == 0:
            self._take(line)
            self._sure = len(self._lines)
            self._bare = bool(self._date) and not line.startswith(self._date)
            return Fed.JOINED
        if is_error:
            return self._refuse(line, is_error)  # it only may belong, and can stand for itself
        self._take(line)
        indented = line[:1] in (b" ", b"\t") and line.strip()
        if not follower.language and indented and self._sure == len(self._lines) - 1:
            self._sure += 1
        return Fed.JOINED

    def close(self, *, on_time: bool = False) -> bytes:
        """End the record and return its lines. ``on_time``: its time was up, more of it may follow."""
        record = b"\n".join(self._lines[: self._sure])
        follower = self._follower
        if on_time and follower is None:
            follower = _follower_of(self._lines[0])
        self._late = follower if on_time and follower and follower.language else None
        self._lines = []
        return record

    def is_late(self, line: bytes, is_error: bool) -> bool:
        """Whether a line is the rest of the record that was closed on time just before."""
        late = self._late
        if late is not None and late.accept(line) and not (late.pending and is_error):
            return True
        self._late = None
        return False

    def _refuse(self, line: bytes, is_error: bool) -> Fed:
        if is_error:
            return Fed.JOINED if self._restart(line) else Fed.OVER
        if self._follower is None or not self._follower.language or self._strangers == _STRANGERS:
            return Fed.OVER
        self._strangers += 1
        return Fed.STRANGER

    def _restart(self, line: bytes) -> bool:
        """Take the trace of an error whose message line already named its type: ``ERROR x.YError: …``."""
        if len(self._lines) > 1 or self._strangers:
            return False
        language = stacktrace.start(line)
        if language is None or begins_record(line):
            return False
        self._take(line)
        self._sure = 2
        self._follower = stacktrace.Follower(language, line)
        return True

    def _take(self, line: bytes) -> None:
        room = MAX_RECORD_BYTES - self._bytes
        if room <= 0:
            return  # the marker stands already
        if len(line) > room:
            line = line[:room] + CUT
        self._lines.append(line)
        self._bytes += len(line) + 1


def stands_alone(line: bytes, after: bytes) -> bool:
    """Whether an error's line and the one after it plainly are two records.

    True for ordinary messages that begin with the same date. It saves most of the work in most logs.
    """
    date = _date(line)
    return bool(date) and after.startswith(date) and not _names_trace(line) and not _names_trace(after)


def _names_trace(line: bytes) -> bool:
    """Whether a line could begin a trace; those who know traces decide."""
    for needle in stacktrace.NEEDLES:  # noqa: SIM110 - a plain loop: this is done for every error
        if needle in line:
            return True
    return False


def _follower_of(line: bytes) -> stacktrace.Follower:
    return stacktrace.Follower(stacktrace.start(line) if _names_trace(line) else None, line)


def _date(line: bytes) -> bytes:
    """Return how a dated line begins; nothing when it has no date."""
    begin = line[:_DATE_BYTES]
    return begin if begin.translate(None, _NO_DIGITS) else b""


def begins_record(line: bytes) -> bool:
    """Whether a line, seen alone, opens a log record of its own: a time, a level, a JSON object."""
    return logline.begins_record(line[:256].decode("latin-1"))
