"""Which kind of error a record is, known without describing it again.

Describing a record (redaction, parsing, fingerprint) costs far more than finding it, and in a storm nearly
all records differ in their numbers only. So the fingerprint of a record with its free-standing numbers
marked is remembered; grouping masks those too, but for error codes and the code that a trace names.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from datetime import UTC, datetime

from ai_ops.agent.stamps import stamped
from ai_ops.core.describe import Description, describe
from ai_ops.core.grouping.v1.codes import digits_in
from ai_ops.core.redaction import Redactor
from ai_ops.monitoring.encoding import decode

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
# Grouping looks at so much of a message; what lies beyond depends on how long its numbers are.
_SHORT_BYTES = 2000


class Kinds:
    """Describes records, and remembers the fingerprints of the shapes it met. Used by one thread."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._remembered: OrderedDict[bytes, str] = OrderedDict()

    def of(self, raw: bytes, scope: str = "", level: str = "") -> tuple[str, Description | None]:
        """Return a record's fingerprint, and its description unless a record of its shape was met before."""
        shape = _shape(raw, scope)
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


def _shape(raw: bytes, scope: str) -> bytes:
    """Return a digest of a record with one mark for its time, and for each of its free-standing numbers.

    Equal shapes have equal fingerprints.
    """
    found = _STAMP.search(raw, 0, _STAMP_WINDOW)
    text = raw[: found.start()] + _ANY_STAMP + raw[found.end() :] if found else raw
    digest = hashlib.blake2b(digest_size=16, key=scope.encode())
    for code in digits_in(text):
        digest.update(b"\0" + code)
    digest.update(b"\0" + _marked(text))
    return digest.digest()


def _marked(text: bytes) -> bytes:
    """Mark the numbers, but for those that may name code: a trace's files, folders and functions."""
    mark = b"0" if len(text) <= _SHORT_BYTES else _same_length
    if b"\n" not in text and b"\\n" not in text:
        return _NUMBER.sub(mark, text)
    parts = [part.split(b"\n") for part in text.split(b"\\n")]
    marked = (
        [line if _CODE.search(line) else _NUMBER_APART.sub(mark, line) for line in lines] for lines in parts
    )
    return b"\\n".join([b"\n".join(lines) for lines in marked])


def _same_length(found: re.Match[bytes]) -> bytes:
    return b"0" * len(found.group())
