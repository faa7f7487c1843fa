"""The audit log as a chain: each line holds a digest of itself and of the line before. Pure.

Who changes, removes or reorders a line breaks the chain behind it; who cuts off its end is found by the
anchor, the last line that this server wrote, which is kept outside of the database. A log that goes on after
its end was cut off says so in its next line: the anchor moves on, and would tell nothing any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ai_ops.flow.judgement import AuditEntry

BEGINNING: Final = "0" * 64
"""What stands before the first line."""

BROKEN: Final = "audit.broken"
"""The verb of a line before which the anchor's line was gone or another."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last line that was written: its number and its digest.

    ``restored`` names the folder that holds what a backup took the place of, and with it a longer log.
    """

    seq: int
    hash: str
    restored: str = ""

    def holds(self, found: str | None) -> bool:
        """Whether it is kept, by the digest that the log has for its line; None: it has none."""
        return (BEGINNING if self.seq == 0 else found) == self.hash


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where the log is not what was written, and how that shows."""

    seq: int
    words: str


def digest(
    previous: str, seq: int, at: datetime, who: str, verb: str, subject: str, detail: Mapping[str, Any]
) -> str:
    """Return the digest of a line and of all before it."""
    parts = [previous, seq, at.astimezone(UTC).isoformat(), who, verb, subject, detail]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Chain:
    """Reads lines in their order and keeps what is wrong with them."""

    def __init__(self, anchor: Anchor | None) -> None:
        self._anchor = anchor
        self._last = Anchor(0, BEGINNING)
        self._met = anchor is None or anchor.seq == 0
        self.faults: list[Fault] = []
        self.count = 0

    def take(self, entries: Iterable[AuditEntry]) -> None:
        """Take the next lines."""
        for entry in entries:
            self.count += 1
            if entry.seq != self._last.seq + 1:
                self._fault(entry.seq, f"lines {self._last.seq + 1} to {entry.seq - 1} are missing")
            elif entry.previous != self._last.hash:
                self._fault(entry.seq, "does not follow the line before it")
            if entry.hash != digest(
                entry.previous, entry.seq, entry.at, entry.who, entry.verb, entry.subject, entry.detail
            ):
                self._fault(entry.seq, "was changed")
            if self._anchor is not None and entry.seq == self._anchor.seq:
                self._met = True
                if entry.hash != self._anchor.hash:
                    self._fault(entry.seq, "is not the line that this server wrote")
            if entry.verb == BROKEN:
                self._fault(entry.seq, f"was written after a break: line {entry.detail.get('seq')} was gone")
            self._last = Anchor(entry.seq, entry.hash)

    def end(self) -> tuple[Fault, ...]:
        """Return what is wrong, when all lines were taken."""
        if not self._met and self._anchor is not None:
            self._fault(self._anchor.seq, f"the log ends before line {self._anchor.seq}, which was written")
        if self._anchor is None and self.count:
            self._fault(0, "the anchor is missing, so that nobody can say whether the end was cut off")
        return tuple(self.faults)

    def _fault(self, seq: int, words: str) -> None:
        self.faults.append(Fault(seq, words))
