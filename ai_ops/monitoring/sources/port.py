"""The port of a log source that is not a file: an async stream of entries, each naming where to go on.

A source keeps nothing durable itself. It is given the positions that were committed and yields what comes
after them, again and again the same when it is asked again. The agent commits a position in the transaction
that holds everything before it, so a kill between reading and committing loses nothing and doubles nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol

BEGINNING = "beginning"
"""The position before everything there is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line, or several that are one record by themselves.

    Attributes:
        stream: what ``position`` is a place in; one source may have several streams.
        position: where to go on after this entry; empty where reading cannot be resumed.
        origin: where a person finds it, for example ``journald:shop.service``.
        text: without the last newline. With ``whole``, or with newlines in it, it is a record of its own.
        identity: names it for good, with ``offset``: the same entry read twice has the same.
        lane: lines are joined within one origin and lane; for example a process.
        time: when it was logged, in Unix seconds.
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL when the source knows it better than the text.
    """

    stream: str
    position: str
    origin: str
    text: bytes
    identity: str
    offset: int = 0
    lane: str = ""
    time: float | None = None
    level: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A position that was reached without an entry."""

    stream: str
    position: str


class LogSource(Protocol):
    """Reads one kind of log."""

    def entries(self, positions: Mapping[str, str]) -> AsyncGenerator[Entry | Mark, None]:
        """Yield what comes after ``positions``, each stream in a steady order.

        It ends when there is nothing more and nothing more will come. It does not fail between an entry
        without a position and the next one with it.

        Raises:
            TemporaryError: reading may go on later, from the last position that was yielded.
            PermanentError: it may go on when a person has mended something.
        """
        ...
