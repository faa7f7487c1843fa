"""From a joined record to what is spooled: an event, or one more of a kind that was seen.

Describing a record (redaction, parsing, fingerprint) costs far more than finding it, and in a storm nearly
all records differ in their numbers only. So the fingerprint of a record without its free-standing
numbers is remembered; grouping masks those too, but for error codes, which are kept.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ai_ops.agent.dedup import DedupWindows, Sighting
from ai_ops.agent.options import Options
from ai_ops.agent.release import Release
from ai_ops.agent.wire import encode, to_wire
from ai_ops.core.describe import Description, describe
from ai_ops.core.redaction import Redactor
from ai_ops.flow.event import Event, EventRepo, EventSource
from ai_ops.monitoring.followed import Record

_NAMESPACE = uuid.UUID("8c0d7a0e-6a53-5d0b-9a8f-2f3c5c1f7e11")
_REMEMBERED = 8192
_STAMP = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\s?(?:Z|[+-]\d\d:?\d\d)?")
_STAMP_WINDOW = 64
_FUTURE_SECONDS = 300.0
_ALNUM = bytes(byte for byte in range(128) if chr(byte).isalnum())
_BETWEEN_WORDS = bytes(
    32 if byte < 128 and chr(byte) in "!\"#%&'()*+,./:;<=>?@[]^`{|}~" else byte for byte in range(256)
)
# Grouping keeps these numbers apart.
_CODED = (b"Errno", b"WinError", b"SQLSTATE")


class Intake:
    """Turns records into events and counts. One per agent, used by one thread."""

    def __init__(self, options: Options, windows: DedupWindows) -> None:
        self._options = options
        self._windows = windows
        self._redactor = Redactor(literals=[options.api_key] if options.api_key else ())
        self._release = Release(options.release, options.release_file)
        self._remembered: OrderedDict[bytes, str] = OrderedDict()
        self._scopes: dict[tuple[int, str], str] = {}
        self._ignored = [tuple(word.encode() for word in s.ignore) for s in options.sources]

    def take(self, record: Record, source: int, now: float) -> dict[str, Any] | None:
        """Return the event when it is to be shipped now; None when the record was ignored or counted."""
        if any(word in record.raw for word in self._ignored[source]):
            return None
        release = self._options.sources[source].release or self._release.current(now)
        scope = self._scope(source, release)
        description: Description | None = None
        if self._options.dedup_window_seconds > 0:
            shape = _shape(record.raw, scope)
            fingerprint = self._remembered.get(shape)
            if fingerprint is None:
                description = self._describe(record)
                fingerprint = self._remember(shape, description.error.fingerprint)
            key = f"{scope}:{fingerprint}"
            sighting = self._windows.see(key, now)
            if sighting is Sighting.REPEAT:
                return None
        else:
            key, sighting = "", Sighting.FIRST
        event = self._event(record, source, release, description or self._describe(record), now)
        if sighting is Sighting.FIRST:
            return event
        self._windows.describe(key, encode(event))
        return None

    def _describe(self, record: Record) -> Description:
        return describe(record.raw.decode("utf-8", "replace"), record.level, redactor=self._redactor)

    def _scope(self, source: int, release: str) -> str:
        """Name what a count may not mix: repository, service, environment and deployed commit."""
        if (source, release) not in self._scopes:
            of = self._options.sources[source]
            parts = (of.repo_url, of.service, of.environment, release)
            self._scopes[source, release] = hashlib.blake2b(
                "\0".join(parts).encode(), digest_size=8
            ).hexdigest()
        return self._scopes[source, release]

    def _remember(self, shape: bytes, fingerprint: str) -> str:
        self._remembered[shape] = fingerprint
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return fingerprint

    def _event(
        self, record: Record, source: int, release: str, description: Description, now: float
    ) -> dict[str, Any]:
        of = self._options.sources[source]
        name = f"{self._options.node}\0{record.identity}\0{record.offset}"
        error, level = description
        if of.language and not error.language:
            error = replace(error, language=of.language)
        return to_wire(
            Event(
                event_id=str(uuid.uuid5(_NAMESPACE, name)),
                occurred_at=occurred_at(record.raw, now if record.time is None else record.time),
                repo=EventRepo(of.repo_url, of.code_host),
                error=error,
                node=self._options.node,
                service=of.service,
                environment=of.environment,
                release=release,
                source=EventSource(record.path, record.offset),
                level=level,
                context=self._context(record.context()),
            )
        )

    def _context(self, lines: Sequence[bytes]) -> tuple[str, ...]:
        # One text, so that a secret over several lines is seen whole.
        text = "\n".join(line.decode("utf-8", "replace") for line in lines)
        return tuple(self._redactor.redact(text).split("\n")) if lines else ()


def occurred_at(raw: bytes, now: float) -> datetime:
    """Return the time that the record's first line names, or ``now`` (Unix time) when it names none.

    A time without a zone is this host's. One that lies ahead was meant otherwise.
    """
    found = _STAMP.search(raw, 0, 200)
    if found:
        text = found.group().decode().replace(",", ".").strip()
        text = re.sub(r"(\.\d{6})\d+", r"\1", re.sub(r"\s(?=[Z+-])", "", text))
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            moment = None
        if moment and moment.year >= 2000 and moment.timestamp() <= now + _FUTURE_SECONDS:
            return moment
    return datetime.fromtimestamp(now, UTC)


def _shape(raw: bytes, scope: str) -> bytes:
    """Return a digest of a record without its time and its free-standing numbers.

    Equal shapes have equal fingerprints: the words, and everything between them, are the same.
    """
    found = _STAMP.search(raw, 0, _STAMP_WINDOW)
    text = raw[: found.start()] + raw[found.end() :] if found else raw
    digest = hashlib.blake2b(digest_size=16, key=scope.encode())
    for word in _CODED:
        if word in text:
            digest.update(text)
            return digest.digest()
    digest.update(b" ".join([word for word in text.translate(_BETWEEN_WORDS).split() if not word.isdigit()]))
    digest.update(b"\0" + text.translate(None, _ALNUM))
    return digest.digest()
