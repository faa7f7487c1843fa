"""Search a chunk of a log for a few words, in any case.

All but a few lines of a log hold none of the words, so this is most of what an agent does. Hyperscan looks
for all of them in one pass with the processor's vector instructions. Where it cannot be loaded, the chunk is
folded first, so that few passes of the interpreter's own search are left; both give a place in each line
that holds a word, and a place more does no harm: the line is looked at.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable
from itertools import takewhile
from typing import Any, Protocol

try:
    import hyperscan
except ImportError:  # a processor or a system that no wheel is made for
    hyperscan = None  # type: ignore[assignment]

# F, R → P; I → A; N → T; C → L: fatal, panic and critical all hold PATAL then.
_FOLD = bytes(range(256)).upper().translate(bytes.maketrans(b"FRINC", b"PPATL"))
_NOWHERE = 1 << 62


class Hits(Protocol):
    """The places in one chunk where a word is."""

    def next(self, position: int) -> int:
        """Return a place inside the first word that begins at or after ``position``, or -1.

        ``position`` is the beginning of a line, and never lies before the one asked for last.
        """


class Search(Protocol):
    """Finds words in chunks."""

    def hits(self, text: bytes) -> Hits:
        """Return the places of ``text`` that hold a word."""


def search_of(words: Iterable[bytes]) -> Search:
    """Return the fastest search for ``words`` that there is on this machine.

    Args:
        words: what to find, in any case of ASCII letters; without line ends.
    """
    wanted = {word.upper() for word in words}
    chosen = least(wanted)
    if hyperscan is None:
        return FoldedSearch(chosen)
    try:
        return _OnePass(chosen)
    except hyperscan.HyperscanError:  # a word that is too long for it
        return FoldedSearch(chosen)


def least(words: set[bytes]) -> list[bytes]:
    """Return the words that hold no other one, which finds them too; looked up, not compared in pairs."""
    lengths = sorted({len(word) for word in words if word})
    return sorted(word for word in words if not _holds_another(word, words, lengths))


def _holds_another(word: bytes, words: set[bytes], lengths: list[int]) -> bool:
    return any(
        word[at : at + length] in words
        for length in takewhile(len(word).__gt__, lengths)
        for at in range(len(word) - length + 1)
    )


class FoldedSearch:
    """One ``bytes.find`` a word, over a copy of the chunk in which many words are one."""

    def __init__(self, words: Iterable[bytes]) -> None:
        folded = {word.translate(_FOLD) for word in words}
        self._needles = tuple(least(folded))

    def hits(self, text: bytes) -> Hits:
        """Return the places of ``text`` that hold a word, or what looks like one when folded."""
        return _FoldedHits(text, self._needles)


class _FoldedHits:
    """Each needle's next place is found once, and only when it is asked for."""

    __slots__ = ("_at", "_find", "_needles")

    def __init__(self, text: bytes, needles: tuple[bytes, ...]) -> None:
        self._find = text.translate(_FOLD).find
        self._needles = needles
        self._at = [-1] * len(needles)

    def next(self, position: int) -> int:
        at = self._at
        for number, place in enumerate(at):
            if place < position:
                place = self._find(self._needles[number], position)
                at[number] = place if place >= 0 else _NOWHERE
        nearest = min(at)
        return nearest if nearest != _NOWHERE else -1


class _OnePass:
    """All words in one pass. Its working memory serves one scan at a time."""

    def __init__(self, words: list[bytes]) -> None:
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=words,
            ids=list(range(len(words))),
            flags=[hyperscan.HS_FLAG_CASELESS] * len(words),
            literal=True,
        )
        self._lock = threading.Lock()

    def hits(self, text: bytes) -> Hits:
        ends: list[int] = []
        with self._lock:
            self._database.scan(text, match_event_handler=_note, context=ends.append)
        return _FoundHits(ends)


def _note(_word: int, _from: int, to: int, _flags: int, note: Any) -> None:
    note(to)


class _FoundHits:
    __slots__ = ("_at", "_ends")

    def __init__(self, ends: list[int]) -> None:
        self._ends = ends
        self._at = 0

    def next(self, position: int) -> int:
        at = self._at = bisect_right(self._ends, position, self._at)
        return self._ends[at] - 1 if at < len(self._ends) else -1
