"""Which kind of error a record is, known without describing it again.

Describing a record (redaction, parsing, fingerprint) costs far more than finding it, and in a storm nearly
all records differ in their numbers only. So the fingerprint of a record with its free-standing numbers
marked is remembered; grouping masks those too, but for error codes and the code that a trace names.

Marking costs as much as finding, too, so it is remembered as well: of an outline, a record with all its
digits alike, it is known which digits are not marked, and those alone tell its records apart.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from ai_ops.agent.stamps import stamped
from ai_ops.core.describe import Description, describe
from ai_ops.core.grouping.v1.codes import digits_in, may_have_digits
from ai_ops.core.redaction import Redactor
from ai_ops.monitoring.encoding import decode
from ai_ops.monitoring.multiline import EACH_DIGIT_0

_REMEMBERED = 8192
_STAMP = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:\s?(?:Z|[+-]\d\d:?\d\d))?")
_STAMP_WINDOW = 64
_FUTURE_SECONDS = 300.0
_ANY_STAMP = b"2000-01-01 00:00:00"
_BEFORE = rb"\s!\"#%&'()*+,./:;<=>?@\[\]^`{|}~"
_AFTER = rb"(?![^\s!\"#%&'()*+,./:;<=>?@\[\]^`{|}~])"
_CARD = rb"(?<![2-9](?=\d{10}))"  # redaction may hide what could be a card's number
# Each begins with the digit, so that the search is quick.
_NUMBER = re.compile(rb"\d(?<![^" + _BEFORE + rb"]\d)" + _CARD + rb"\d*" + _AFTER)
_NUMBER_APART = re.compile(
    rb"\d(?<![^" + _BEFORE.replace(b".", b"") + rb"]\d)" + _CARD + rb"\d*" + _AFTER + rb"(?!\.\w)"
)
# Lines of a trace that name files, folders or functions: indented, numbered, with a path or a file's line.
_CODE = re.compile(rb"\A[\s#]|[/\\]|\.[A-Za-z]\w{0,8}:\d")
_MAYBE_CARD = b"0" * 11
# Outlines are learnt of records of this length when they come again, until so many bytes are held.
_LONGEST_OUTLINE = 4096
_HELD_BYTES = 1 << 20
_ENTRY_BYTES = 200
_MOST_MET = 4096
# The digits of one place that are not marked, and what is between them.
_KEPT = re.compile(rb"\d(?:[^\0]*\d)?")
# Grouping looks at so much of a message; what lies beyond depends on how long its numbers are.
_SHORT_BYTES = 2000
_LARGE_BYTES = 64 << 10
# Possessive: a place to come back to for each backslash takes a hundred times the text.
_LINE = re.compile(rb"([^\n\\]*+(?:\\(?!n)[^\n\\]*+)*+)(\n|\\n|\Z)")


class Kinds:
    """Describes records, and remembers the fingerprints of the shapes it met. Used by one thread."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._remembered: OrderedDict[bytes, str] = OrderedDict()
        self._outlines = _Outlines()

    def of(self, raw: bytes, scope: str = "", level: str = "") -> tuple[str, Description | None]:
        """Return a record's fingerprint, and its description unless a record of its shape was met before."""
        shape = self._outlines.shape(raw, scope)
        fingerprint = self._remembered.get(shape)
        if fingerprint is not None:
            return fingerprint, None
        description = self.describe(raw, level)
        fingerprint = self._remembered[shape] = description.error.fingerprint
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return fingerprint, description

    def describe(self, raw: bytes, level: str = "") -> Description:
        """Describe a record; ``level`` is what its source knows of it."""
        return describe(decode(raw), level, redactor=self._redactor)


def occurred_at(raw: bytes, now: float, otherwise: float | None = None) -> datetime:
    """Return the time that the record's first line names, or ``otherwise`` when it names none.

    A time without a zone is this host's. One that lies ahead of ``now`` was meant otherwise. Both are Unix
    times; ``otherwise`` is ``now`` when it is not given.
    """
    moment = stamped(raw, now)
    if moment and moment.year >= 2000 and moment.timestamp() <= now + _FUTURE_SECONDS:
        return moment
    return datetime.fromtimestamp(now if otherwise is None else otherwise, UTC)


class _Outline(NamedTuple):
    """What is known of the records that differ in their digits alone.

    ``kept`` is where digits stand that are not marked. ``coded``: which digits are codes must be looked up
    in each record. ``shapes``: the shape by scope, kept digits and codes.
    """

    kept: tuple[slice, ...]
    coded: bool
    shapes: dict[tuple[str, bytes, bytes], bytes]


class _Outlines:
    """Remembers shapes: returns what ``_shape`` would."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Outline] = {}
        self._met: set[int] = set()  # by their hashes: those that were seen once, or are taken for that
        self._held = 0

    def shape(self, raw: bytes, scope: str) -> bytes:
        """Return the shape of a record."""
        if len(raw) > _LONGEST_OUTLINE:
            return _shape(raw, scope)
        outline = raw.translate(EACH_DIGIT_0)
        known = self._known.get(outline)
        if known is None:
            self._meet(outline)
            return _shape(raw, scope)
        kept = b"".join([raw[part] for part in known.kept]) if known.kept else b""
        codes = b"\0".join(digits_in(_undated(raw))) if known.coded else b""
        key = (scope, kept, codes)
        shape = known.shapes.get(key)
        if shape is None:
            shape = known.shapes[key] = _shape(raw, scope)
            self._hold(len(kept) + len(codes))
        return shape

    def _meet(self, outline: bytes) -> None:
        """Learn an outline that was met before: in many a log each record has its own."""
        sign = hash(outline)
        if sign not in self._met:
            if len(self._met) >= _MOST_MET:
                self._met.clear()
            self._met.add(sign)
        elif learnt := _learnt(outline):
            self._hold(len(outline))
            self._known[outline] = learnt

    def _hold(self, size: int) -> None:
        self._held += size + _ENTRY_BYTES
        if self._held > _HELD_BYTES:
            self._known.clear()
            self._held = 0


def _learnt(outline: bytes) -> _Outline | None:
    """Return what an outline says of its records; None when the digits decide which of them are marked."""
    text = _undated(outline)
    if _MAYBE_CARD in text.translate(EACH_DIGIT_0):
        return None
    hidden = _marked(text, _hide)
    if stamp := _stamp_in(outline):
        begin, end = stamp.span()
        hidden = hidden[:begin] + bytes(end - begin) + hidden[begin + len(_ANY_STAMP) :]
    kept = tuple(slice(*found.span()) for found in _KEPT.finditer(hidden))
    return _Outline(kept, may_have_digits(text.translate(EACH_DIGIT_0)), {})


def _hide(found: re.Match[bytes]) -> bytes:
    return bytes(len(found.group()))


def _stamp_in(raw: bytes) -> re.Match[bytes] | None:
    return _STAMP.search(raw, 0, _STAMP_WINDOW)


def _undated(raw: bytes) -> bytes:
    """Return a record with one time for all."""
    stamp = _stamp_in(raw)
    return raw[: stamp.start()] + _ANY_STAMP + raw[stamp.end() :] if stamp else raw


def _shape(raw: bytes, scope: str) -> bytes:
    """Return a digest of a record with one mark for its time, and for each of its free-standing numbers.

    Equal shapes have equal fingerprints.
    """
    text = _undated(raw)
    digest = hashlib.blake2b(digest_size=16, key=scope.encode())
    for code in digits_in(text):
        digest.update(b"\0" + code)
    digest.update(b"\0")
    mark = b"0" if len(text) <= _SHORT_BYTES else _same_length
    for piece in _marked_in_pieces(text) if len(text) > _LARGE_BYTES else (_marked(text, mark),):
        digest.update(piece)
    return digest.digest()


def _marked(text: bytes, mark: bytes | Callable[[re.Match[bytes]], bytes]) -> bytes:
    """Mark the numbers, but for those that may name code: a trace's files, folders and functions."""
    if b"\n" not in text and b"\\n" not in text:
        return _NUMBER.sub(mark, text)
    parts = [part.split(b"\n") for part in text.split(b"\\n")]
    marked = (
        [line if _CODE.search(line) else _NUMBER_APART.sub(mark, line) for line in lines] for lines in parts
    )
    return b"\\n".join([b"\n".join(lines) for lines in marked])


def _marked_in_pieces(text: bytes) -> Iterator[bytes]:
    """Yield what ``_marked`` gives of a large text. Whole it takes a hundred bytes for each short number."""
    if b"\n" not in text and b"\\n" not in text:
        yield from _marked_line(_NUMBER, text)
        return
    for found in _LINE.finditer(text):
        line, line_end = found.groups()
        yield from (line,) if _CODE.search(line) else _marked_line(_NUMBER_APART, line)
        yield line_end


def _marked_line(number: re.Pattern[bytes], line: bytes) -> Iterator[bytes]:
    at = 0
    for found in number.finditer(line):
        yield line[at : found.start()]
        yield _same_length(found)
        at = found.end()
    yield line[at:]


def _same_length(found: re.Match[bytes]) -> bytes:
    return b"0" * len(found.group())
