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

_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}(?=[^`]*\Z)|~{3,})\s*(?P<language>[\w+-]*)(?P<more>.*)")
_RULER = re.compile(r"[\s|:+=-]+")  # a thematic break, the line below a heading, the second row of a table
_MARKS = re.compile(r"\s*(?:#{1,6}\s+|>\s?|(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?)*")
_TICKED = re.compile(r"\[[xX]\]")
_SPECIAL = re.compile(r"([\\`{}\[\]()<>#!$@:%^])")  # not what emphasis and tables are made of


class Kind(StrEnum):
    """What a piece of the text is."""

    PROSE = "prose"
    FENCE = "fence"
    CODE = "code"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Piece:
    """A line of prose or code, the line that begins or ends code, or a whole comment."""

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
                yield Piece(Kind.CODE, markdown.unheard(piece.text))
            case Kind.FENCE:
                yield piece


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
            elif fence:
                closes = line.strip().startswith(fence) and not line.strip().strip(fence[0])
                yield Piece(Kind.FENCE, fence) if closes else Piece(Kind.CODE, line)
                fence = "" if closes else fence
            elif opens := _FENCE.fullmatch(line):
                fence = opens["marks"]
                yield Piece(Kind.FENCE, fence + opens["language"])
                if (more := opens["more"].strip()) and more[0] != fence[0]:
                    yield Piece(Kind.CODE, more)
            else:
                before, start, line = line.partition("<!--")
                if before.strip() or not start:
                    yield Piece(Kind.PROSE, before)
                if start:
                    said, comes = [], True
    if said is not None:
        yield Piece(Kind.COMMENT, "\n".join(said))
    if fence:
        yield Piece(Kind.FENCE, fence)


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
