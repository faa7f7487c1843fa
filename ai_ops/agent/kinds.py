"""Which kind of error a record is, known without describing it again.

Describing a record (redaction, parsing, fingerprint) costs far more than finding it, and in a storm nearly
all records differ in their numbers only. So the fingerprint of a record without its free-standing
numbers is remembered; grouping masks those too, but for error codes, which are kept.
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
_STAMP = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\s?(?:Z|[+-]\d\d:?\d\d)?")
_STAMP_WINDOW = 64
_FUTURE_SECONDS = 300.0
_ALNUM = bytes(byte for byte in range(128) if chr(byte).isalnum())
_BETWEEN_WORDS = bytes(
    32 if byte < 128 and chr(byte) in "!\"#%&'()*+,./:;<=>?@[]^`{|}~" else byte for byte in range(256)
)


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
    """Return a digest of a record without its time and its free-standing numbers.

    Equal shapes have equal fingerprints: the words, and everything between them, are the same.
    """
    found = _STAMP.search(raw, 0, _STAMP_WINDOW)
    text = raw[: found.start()] + raw[found.end() :] if found else raw
    digest = hashlib.blake2b(digest_size=16, key=scope.encode())
    for code in digits_in(text):
        digest.update(b"\0" + code)
    digest.update(b" ".join([word for word in text.translate(_BETWEEN_WORDS).split() if not word.isdigit()]))
    digest.update(b"\0" + text.translate(None, _ALNUM))
    return digest.digest()
