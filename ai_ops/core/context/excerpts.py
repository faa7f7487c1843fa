"""What is shown of a file: all of it, or its imports and some functions with what surrounds them.

Parts are whole lines of the file, unnumbered, so that an answer can copy them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ai_ops.core.context.functions import Span

_BYTES = 3  # a token of code has about three letters, one of CJK about one, which is three bytes
_IMPORT = re.compile(
    r"\s*(?:import|from|using|use|require|require_relative|include|package|namespace|extern|mod|open|#include)\b"
    r"|(?:const|let|var)\b[^\n]{0,200}\brequire\("
)
_IMPORTS_WITHIN = 200
_MOST_IMPORTS = 60
_MOST_BEGINNING = 1200  # tokens
_MOST_FUNCTION = 160
_BESIDE = 60  # lines on either side that are shown of a longer function
_SURROUNDINGS = 8
_GAP = 4  # fewer lines than these are no reason to break off


def tokens(text: str | bytes) -> int:
    """Return about how many tokens a text is, rather too many than too few."""
    size = len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return -(-size // _BYTES)


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A file of the repository as it is, or ``first`` to the end of ``text`` in a file of ``of`` lines.

    ``first`` is 1-based, and 0 when the file is whole.
    """

    path: str
    text: str
    first: int = 0
    of: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing of the file is missing."""
        return self.first == 0

    @property
    def name(self) -> str:
        """The path, and of a part its lines."""
        return self.path if self.whole else f"{self.path}:{self.first}-{self.last} of {self.of}"

    @property
    def last(self) -> int:
        """The last line shown of a part."""
        return self.first + self.text.removesuffix("\n").count("\n")


def parts(path: str, text: str, wanted: Sequence[tuple[int, Span | None]]) -> tuple[ContextFile, ...]:
    """Return the parts of a file that show some of its lines: its imports, and the functions around them.

    Args:
        path: the file.
        text: all of it.
        wanted: lines, 1-based, each with the function that is meant, if it is known.
    """
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    ranges = [_shown(line, span) for line, span in wanted]
    if imports := _imports(lines):
        ranges.append(imports)
    merged = _merged(ranges, len(lines))
    if merged == [(1, len(lines))]:
        return (ContextFile(path, text),)
    return tuple(
        ContextFile(path, "\n".join(lines[first - 1 : last]) + "\n", first, len(lines))
        for first, last in merged
    )


def beginning(path: str, text: str, most: int = _MOST_BEGINNING) -> ContextFile:
    """Return a file's first lines, as many as ``most`` tokens have room for."""
    if tokens(text) <= most:
        return ContextFile(path, text)
    lines = text.split("\n")
    shown: list[str] = []
    for line in lines:
        most -= tokens(line + "\n")
        if most < 0:
            break
        shown.append(line)
    return ContextFile(path, "\n".join(shown) + "\n" if shown else "", 1, len(lines))


def _shown(line: int, span: Span | None) -> tuple[int, int]:
    if span is None:
        return line - _BESIDE // 2, line + _BESIDE // 2
    if span.last - span.first < _MOST_FUNCTION:
        return span.first - _SURROUNDINGS, span.last + _SURROUNDINGS
    middle = line if span.holds(line) else span.first
    return max(middle - _BESIDE, span.first - _SURROUNDINGS), min(middle + _BESIDE, span.last + _SURROUNDINGS)


def _imports(lines: Sequence[str]) -> tuple[int, int] | None:
    """Return the lines from the first import to the last one near the top of a file."""
    found = [at for at, line in enumerate(lines[:_IMPORTS_WITHIN], 1) if _IMPORT.match(line)]
    return (found[0], min(found[-1], found[0] + _MOST_IMPORTS)) if found else None


def imports(text: str) -> list[str]:
    """Return the lines near the top of a file that import something."""
    return [line for line in text.split("\n", _IMPORTS_WITHIN)[:_IMPORTS_WITHIN] if _IMPORT.match(line)]


def _merged(ranges: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Return the ranges inside the file in order; those that touch, almost or entirely, are one."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((max(first, 1), min(last, length)) for first, last in ranges):
        if first > last:
            continue
        if merged and first <= merged[-1][1] + _GAP:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((1 if first <= _GAP else first, last if last < length - _GAP else length))
    return merged
