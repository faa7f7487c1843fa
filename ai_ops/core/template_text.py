"""A repository's own Markdown, such as the form for its pull requests, with its shape and without any power.

Headings, lists, check boxes, tables, emphasis, code and comments stay; nothing calls, closes, loads or links,
and no box is ticked. What the text leaves open is closed, so that it cannot swallow what follows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ai_ops.core import markdown

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*([\w+-]*)")
_RULER = re.compile(r"[\s|:+=-]+")  # a thematic break, the line below a heading, the second row of a table
_MARKS = re.compile(r"\s*(?:#{1,6}\s+|>\s?|(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?)*")
_TICKED = re.compile(r"\[[xX]\]")
_SPECIAL = re.compile(r"([\\`{}\[\]()<>#!$@:%^])")  # not what emphasis and tables are made of


class Kind(StrEnum):
    """What a piece of the text is."""

    PROSE = "prose"
    CODE = "code"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Piece:
    """A line of prose or code, or a whole comment."""

    kind: Kind
    text: str


def harmless(untrusted: str) -> Iterator[Piece]:
    """Yield the pieces of a text, made harmless."""
    for piece in _pieces(untrusted):
        match piece.kind:
            case Kind.PROSE:
                yield Piece(Kind.PROSE, _prose(piece.text))
            case Kind.COMMENT:
                yield Piece(Kind.COMMENT, _comment(piece.text))
            case Kind.CODE:
                found = _FENCE.match(piece.text)
                yield Piece(Kind.CODE, found[1] + found[2] if found else markdown.unheard(piece.text))


def _pieces(untrusted: str) -> Iterator[Piece]:
    fence = ""  # the one that is open
    said: list[str] | None = None  # the lines of the comment that is open
    for whole in markdown.visible(untrusted).split("\n"):
        line, comes = whole, True
        while comes:
            comes = False
            if said is not None:
                inside, end, line = line.partition("-->")
                said.append(inside)
                if end:
                    yield Piece(Kind.COMMENT, "\n".join(said))
                    said, comes = None, bool(line.strip())
            elif fence or _FENCE.match(line):
                yield Piece(Kind.CODE, line)
                fence = _after(line, fence)
            else:
                before, start, line = line.partition("<!--")
                if before.strip() or not start:
                    yield Piece(Kind.PROSE, before)
                if start:
                    said, comes = [], True
    if said is not None:
        yield Piece(Kind.COMMENT, "\n".join(said))
    if fence:
        yield Piece(Kind.CODE, fence)


def _after(line: str, fence: str) -> str:
    """Return the fence that is open after a line of code."""
    found = _FENCE.match(line)
    if not fence:
        return found[1] if found else ""
    closes = found is not None and found[1].startswith(fence) and not line.strip().strip(fence[0])
    return "" if closes else fence


def _prose(line: str) -> str:
    if _RULER.fullmatch(line):
        return line
    found = _MARKS.match(line)
    marks = found[0] if found else ""
    rest = markdown.unheard(line[len(marks) :])
    return _TICKED.sub("[ ]", marks) + markdown.escaped(rest, _SPECIAL)


def _comment(said: str) -> str:
    """Return a comment that ends where it ends here, in every reader's eyes."""
    quiet = markdown.broken(markdown.unheard(said)).replace("<", "&lt;").replace(">", "&gt;")
    return f"<!--{quiet}-->"
