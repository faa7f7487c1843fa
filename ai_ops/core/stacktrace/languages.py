"""The languages whose traces are known. A new one is a module of this package and a name here."""

from __future__ import annotations

from functools import lru_cache

from ai_ops.core.stacktrace import dart, dotnet, go, java, javascript, php, python, rails, ruby, rust
from ai_ops.core.stacktrace.model import Language

# Where two could read the same lines, the one with the stricter shape stands first. What Rails writes is read
# apart from Ruby's own, and its traces are of the language ruby too.
LANGUAGES: tuple[Language, ...] = (python, java, dotnet, php, dart, go, rust, rails, ruby, javascript)


_REMEMBERED_CHARS = 4096


def starts(line: str) -> tuple[tuple[Language, int], ...]:
    """Return the languages whose trace may begin on this line, each with the column where."""
    return _remembered(line) if len(line) <= _REMEMBERED_CHARS else _starts(line)


def _starts(line: str) -> tuple[tuple[Language, int], ...]:
    found = []
    for language in LANGUAGES:
        for needle in language.NEEDLES:
            if needle in line:
                column = language.start(line)
                if column is not None:
                    found.append((language, column))
                break
    return tuple(found)


# The joiner asks about one line several times in a row: whether it begins an error, and then what.
_remembered = lru_cache(maxsize=16)(_starts)


def framed(line: str) -> tuple[tuple[Language, int], ...]:
    """Return the languages that take this line for a frame, whatever stood before it."""
    return tuple((language, 0) for language in LANGUAGES if language.is_frame(line))
