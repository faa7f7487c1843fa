"""Patterns that fit little but one value. They are read and never run, so none takes long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

_TOKEN = re.compile(
    r"\\\\?[bBAZzGdDwWsShHvVRpPkQE]|\\(?P<escaped>\W)|\[[^\]]{0,200}\]|\{[^}]{0,20}\}|\(\?[:=!<P]?|(?P<or>\|)"
    r"|(?P<open>[()^$.*+?{}\[\]\\])|(?P<plain>.)",
    re.DOTALL,
)
_GENERAL = re.compile(r"[\\\[\].*+?{}|()^$]")
_LONGEST = 300  # characters of a pattern
_FEWEST, _MANY = 3, 6  # letters and digits of a pattern that name a value: half of it, or most of it
_WORD = re.compile(r"\w+")
_MOST_WORDS = 2_000


def fits(pattern: str, said: Iterable[str]) -> bool:
    """Whether a pattern is written for one of some words: half of its letters stand in the pattern, in order.

    Two of them are digits; with one digit it is three quarters, and what has none names a kind.
    """
    if len(pattern) > _LONGEST or not _GENERAL.search(pattern):
        return False
    ways = [way for way in map(tuple, _ways(pattern)) if _is_particular("".join(way))]
    words = tuple(islice(said, _MOST_WORDS)) if ways else ()
    whole = "\n".join(words).casefold()
    ways = [way for way in ways if all(run.casefold() in whole for run in way)]
    return any(_fits(way, word) for way in ways for word in words)


def _ways(pattern: str) -> Iterator[list[str]]:
    """Yield the texts between what stands for many, for each of some alternatives."""
    runs: list[str] = []
    run = ""
    for token in _TOKEN.finditer(pattern):
        letter = token["escaped"] or token["plain"]
        if letter:
            run += letter
            continue
        runs, run = ([*runs, run], "") if run else (runs, "")
        if token["or"]:
            yield runs
            runs = []
    yield [*runs, run] if run else runs


def _is_particular(letters: str) -> bool:
    known = "".join(_WORD.findall(letters))
    digits = sum(map(str.isdigit, known))
    return digits > 1 <= len(known) // _FEWEST or (digits == 1 and len(known) >= _MANY)


def _fits(way: tuple[str, ...], word: str) -> bool:
    at, letters, wanted = 0, 0, word.casefold()
    digits = sum(map(str.isdigit, "".join(way)))
    for run in way:
        found = wanted.find(run.casefold(), at)
        if found < 0 or (at == 0 and run[0].isalnum() and found > 0 and wanted[found - 1].isalnum()):
            return False
        at = found + len(run)
        letters += len("".join(_WORD.findall(run)))
    whole = len("".join(_WORD.findall(wanted)))
    return 2 * letters >= whole if digits > 1 else 4 * letters >= 3 * whole
