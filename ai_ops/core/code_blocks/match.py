"""Find the one place where a search text stands: exactly at first, then forgiving one more thing at a time.

A match must be the only one on its rung; the first of several is never taken. Whole lines are
compared, so a search never changes a part of a line that it does not show. The last rung, of lines that
are nearly the same, is only tried when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

_QUOTES = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"',
        "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00a0": " ", "\u202f": " ",
    }
)  # fmt: skip
_MAX_WINDOWS = 5000
_NEARLY = 92.0  # of 100
_NEARLY_LINES = 3
_CLEARLY = 5.0  # better than any other place


@dataclass(frozen=True, slots=True)
class Match:
    """Where a search stands: lines ``start`` to ``end`` (exclusive), and what now takes their place.

    ``before`` and ``after`` are the lines of search and replace, indented as the file is. ``rung`` is
    what had to be forgiven, empty for an exact match.
    """

    start: int
    end: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    rung: str = ""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The search stands at several places; ``lines`` are their first lines, 1-based."""

    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Rung:
    name: str
    normal: Callable[[str], str]
    skips_blank: bool = False
    shifts: bool = False


def _same(line: str) -> str:
    return line


def _plain_quotes(line: str) -> str:
    return line.translate(_QUOTES).rstrip()


_RUNGS = (
    _Rung("", _same),
    _Rung("trailing space", str.rstrip),
    _Rung("Unicode quotes", _plain_quotes),
    _Rung("blank lines", _plain_quotes, skips_blank=True),
    _Rung("indentation", _plain_quotes, skips_blank=True, shifts=True),
)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _shift(have: Sequence[str], want: Sequence[str]) -> tuple[str, str] | None:
    """Return the one (remove, add) of leading space that makes ``want`` into ``have``, or None."""
    first, other = _indent(have[0]), _indent(want[0])
    if first.endswith(other):
        remove, add = "", first[: len(first) - len(other)]
    elif other.endswith(first):
        remove, add = other[: len(other) - len(first)], ""
    else:
        return None
    fits = all(w.startswith(remove) and h == add + w[len(remove) :] for h, w in zip(have, want, strict=True))
    return (remove, add) if fits else None


def _shifted(lines: Sequence[str], remove: str, add: str) -> tuple[str, ...] | None:
    if any(line.strip() and not line.startswith(remove) for line in lines):
        return None
    return tuple(add + line[len(remove) :] if line.strip() else line for line in lines)


def _trim(lines: Sequence[str]) -> list[str]:
    """Return the lines without blank ones at either end."""
    start, end = 0, len(lines)
    while start < end and not lines[start].strip():
        start += 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    return list(lines[start:end])


def _on_rung(rung: _Rung, lines: Sequence[str], before: Sequence[str], after: Sequence[str]) -> list[Match]:
    """Return every match on one rung."""
    if rung.skips_blank:
        before, after = _trim(before), _trim(after)
    normal = [rung.normal(line) for line in lines]
    places = [at for at, line in enumerate(normal) if line.strip() or not rung.skips_blank]
    want = [text for line in before if (text := rung.normal(line)).strip() or not rung.skips_blank]
    matches: list[Match] = []
    if not want:
        return matches
    for at in range(len(places) - len(want) + 1):
        window = places[at : at + len(want)]
        if not rung.shifts and normal[window[0]] != want[0]:
            continue
        have = [normal[place] for place in window]
        shift = _shift(have, want) if rung.shifts else ("", "") if have == want else None
        if shift is None:
            continue
        old, new = _shifted(before, *shift), _shifted(after, *shift)
        if old is not None and new is not None:
            matches.append(Match(window[0], window[-1] + 1, old, new, rung.name))
    return matches


def find(
    lines: Sequence[str], before: Sequence[str], after: Sequence[str], *, fuzzy: bool = False
) -> Match | Ambiguous | None:
    """Return where ``before`` stands in ``lines``, or None.

    Args:
        lines: the file's lines, without their ends.
        before: the lines of the search; at least one is not blank.
        after: the lines of the replacement.
        fuzzy: whether at last lines count that are only nearly the same: at least three, 0.92 alike, and
            clearly more so than any others.
    """
    for rung in _RUNGS:
        if matches := _on_rung(rung, lines, before, after):
            if len(matches) > 1:
                return Ambiguous(tuple(match.start + 1 for match in matches))
            return matches[0]
    return _nearly(lines, before, after) if fuzzy else None


def _nearly(lines: Sequence[str], before: Sequence[str], after: Sequence[str]) -> Match | Ambiguous | None:
    size = len(before)
    if sum(1 for line in before if line.strip()) < _NEARLY_LINES:
        return None
    wanted = "\n".join(before)
    least = _NEARLY - _CLEARLY
    starts = range(min(max(len(lines) - size + 1, 0), _MAX_WINDOWS))
    scored = [(fuzz.ratio("\n".join(lines[at : at + size]), wanted, score_cutoff=least), at) for at in starts]
    best, at = max(scored, default=(0.0, 0), key=lambda each: (each[0], -each[1]))
    if best < _NEARLY:
        return None
    others = [place for score, place in scored if score > best - _CLEARLY and abs(place - at) >= size]
    if others:
        return Ambiguous(tuple(sorted(place + 1 for place in (at, *others))))
    return Match(at, at + size, tuple(before), tuple(after), "lines that differ a little")


def nearest(lines: Sequence[str], before: Sequence[str]) -> tuple[int, list[str]] | None:
    """Return where the lines most like ``before`` begin, 1-based, and those lines, for the report."""
    size = max(len(before), 1)
    wanted = "\n".join(before)
    starts = range(min(max(len(lines) - size + 1, 0), _MAX_WINDOWS))
    scored = [(fuzz.ratio("\n".join(lines[at : at + size]), wanted, score_cutoff=50), at) for at in starts]
    best, at = max(scored, default=(0.0, 0), key=lambda each: (each[0], -each[1]))
    return (at + 1, list(lines[at : at + size])) if best else None
