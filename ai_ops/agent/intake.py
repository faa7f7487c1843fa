"""From a joined record to what is spooled: an event, or one more of a kind that was seen."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ai_ops.agent.dedup import DedupWindows, Sighting, Window
from ai_ops.agent.kinds import Kinds, occurred_at
from ai_ops.agent.options import Options, Source
from ai_ops.agent.release import Release
from ai_ops.agent.stamps import STAMPED_BYTES
from ai_ops.agent.wire import encode, redated, to_wire
from ai_ops.core.describe import Description
from ai_ops.core.redaction import Redactor
from ai_ops.flow.event import Event, EventRepo, EventSource
from ai_ops.monitoring.encoding import decode
from ai_ops.monitoring.followed import Record

_NAMESPACE = uuid.UUID("8c0d7a0e-6a53-5d0b-9a8f-2f3c5c1f7e11")


class Intake:
    """Turns records into events and counts. One per agent, used by one thread."""

    def __init__(self, options: Options, windows: DedupWindows) -> None:
        self._options = options
        self._windows = windows
        self._redactor = Redactor(
            extra_patterns=[rule.pattern for rule in options.redact],
            literals=[options.api_key] if options.api_key else (),
        )
        self._release = Release(options.release, options.release_file)
        self._kinds = Kinds(self._redactor)
        self._ignored = [tuple(word.encode() for word in s.ignore) for s in options.sources]

    def take(self, records: Sequence[Record], source: int, now: float) -> Iterator[dict[str, Any]]:
        """Yield the events that are to be shipped now; a record that is ignored or counted gives none."""
        of = self._options.sources[source]
        release = of.release or self._release.current(now)
        if ignored := self._ignored[source]:
            records = [record for record in records if not any(word in record.raw for word in ignored)]
        if self._options.dedup_window_seconds <= 0:
            for record in records:
                description = self._kinds.describe(record.raw, record.level)
                yield self._event(record, of, release, description, now)
            return
        scope = self._scope(of, release)
        for record in records:
            fingerprint, known = self._kinds.of(record.raw, scope, record.level)
            key = f"{scope}:{fingerprint}"
            sighting = self._windows.see(key, now, (record.raw[:STAMPED_BYTES], record.time))
            if sighting is Sighting.REPEAT:
                continue
            description = known or self._kinds.describe(record.raw, record.level)
            event = self._event(record, of, release, description, now)
            if sighting is Sighting.FIRST:
                yield event
            else:
                self._windows.describe(key, encode(event))

    def date(self, window: Window, now: float) -> None:
        """Give a window's event the time of the last repeat that it counts."""
        if window.latest is not None:
            head, time = window.latest
            window.event = redated(window.event, occurred_at(head, now, time))
            window.latest = None

    def _scope(self, of: Source, release: str) -> str:
        """Name what a count may not mix: repository, service, environment and deployed commit."""
        parts = (of.repo_url, of.service, of.environment, release)
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()

    def _event(
        self, record: Record, of: Source, release: str, description: Description, now: float
    ) -> dict[str, Any]:
        # The same record told to another repository is another event: there, nothing is known of it.
        name = f"{self._options.node}\0{record.identity}\0{record.offset}\0{of.repo_url}"
        error, level = description
        if of.language and not error.language:
            error = replace(error, language=of.language)
        return to_wire(
            Event(
                event_id=str(uuid.uuid5(_NAMESPACE, name)),
                occurred_at=occurred_at(record.raw, now, record.time),
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
        text = "\n".join(decode(line) for line in lines)
        return tuple(self._redactor.redact(text).split("\n")) if lines else ()
