"""A file's text as lines that remember their ends, so that an edit changes nothing it did not mean to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end, and the end: a line feed, a carriage return and line feed, or nothing."""

    text: str
    end: str


@dataclass(frozen=True, slots=True)
class Text:
    """A file's lines and whether it begins with a byte order mark."""

    lines: tuple[Line, ...]
    bom: bool = False

    @property
    def usual_end(self) -> str:
        """The end that most lines have; a line feed when there is none."""
        ends = Counter(line.end for line in self.lines if line.end)
        return ends.most_common(1)[0][0] if ends else "\n"

    def encode(self) -> bytes:
        """Return the file's bytes.

        Raises:
            UnicodeEncodeError: a line holds half of a surrogate pair.
        """
        body = "".join(line.text + line.end for line in self.lines)
        return ((_BOM if self.bom else "") + body).encode()


def decode(content: bytes) -> Text:
    """Return the text of a file.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    text = content.decode()
    bom = text.startswith(_BOM)
    return Text(tuple(split(text.removeprefix(_BOM))), bom)


def split(text: str) -> list[Line]:
    """Split at line feeds only; a lone carriage return or form feed stays inside its line."""
    parts = text.split("\n")
    lines = [
        Line(part[:-1], "\r\n") if part.endswith("\r") else Line(part, "\n")  #
        for part in parts[:-1]
    ]
    return [*lines, Line(parts[-1], "")] if parts[-1] else lines


def body_lines(body: str) -> list[str]:
    """Return the lines of a block's body, which may carry the line ends of a foreign answer."""
    return [line.removesuffix("\r") for line in body.split("\n")] if body else []


def splice(old: Sequence[Line], before: Sequence[str], after: Sequence[str], usual_end: str) -> list[Line]:
    """Return the lines that stand for ``old`` when its text changes from ``before`` to ``after``.

    Lines that both begin or end with keep the file's own bytes, so trailing space and mixed line ends
    survive; a new line takes the end of the line whose place it takes. ``before`` is as long as
    ``old`` when the two correspond line by line; else only the ends of lines are carried over.
    """
    head = tail = 0
    if len(before) == len(old):
        shorter = min(len(before), len(after))
        while head < shorter and before[head] == after[head]:
            head += 1
        while tail < shorter - head and before[-1 - tail] == after[-1 - tail]:
            tail += 1
    kept_tail = list(old[len(old) - tail :])
    replaced = old[head : len(old) - tail]
    models = replaced or old[head - 1 : head] or [Line("", usual_end)]
    middle = [
        Line(text, models[min(index, len(models) - 1)].end or usual_end)
        for index, text in enumerate(after[head : len(after) - tail])
    ]
    result = [*old[:head], *middle, *kept_tail]
    if result and old and not old[-1].end:  # the file's last line has no end, and keeps none
        result = [
            *(Line(line.text, line.end or usual_end) for line in result[:-1]),
            Line(result[-1].text, ""),
        ]
    return result
