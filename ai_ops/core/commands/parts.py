"""The parts of shell text: words with what they are made of, redirects, simple commands; and its escapes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto

_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "E": "\x1b",
}
NUMBER = re.compile(r"x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})")


class Kind(Enum):
    """What a part of a word is."""

    TEXT = auto()
    VARIABLE = auto()
    COMMAND = auto()
    PROCESS = auto()
    ARRAY = auto()


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word. ``escaped``: written in escapes that nobody needs to write it."""

    kind: Kind
    text: str
    quoted: bool = False
    escaped: bool = False


Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """``operator`` as written, without its descriptor; the text of a here-document is the word."""

    operator: str
    target: Word


@dataclass(slots=True)
class Command:
    """A simple command.

    ``piped``: it reads what the ``writers`` commands before it write, which are one or a group; ``shares``:
    the place of the first one of its group that does, or -1; ``behind``: it runs with ``&``; ``endless``: it
    stands in a loop that does not end by itself, and does not pause.

    ``defines`` is the name of a function, ``body`` its text, which is read as commands of its own too.
    """

    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    piped: bool = False
    writers: int = 1
    shares: int = -1
    behind: bool = False
    endless: bool = False
    defines: str = ""
    body: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was read into it."""
        return not (self.words or self.redirects or self.defines)


def unescape(text: str) -> str:
    r"""Return a text with its ``\x72``, ``\162`` and ``\n`` written out, as printf and ``echo -e`` do."""
    made, at = [], 0
    while at < len(text):
        if text[at] != "\\" or at + 1 == len(text):
            made.append(text[at])
            at += 1
            continue
        number = NUMBER.match(text, at + 1)
        if number:
            digits = next(group for group in number.groups() if group)
            value = int(digits, 8 if number[4] else 16)
            made.append(chr(value) if value < 0x110000 else "")
            at = number.end()
        else:
            made.append(
                _ESCAPES.get(text[at + 1], text[at + 1] if text[at + 1] in "\\'\"" else text[at : at + 2])
            )
            at += 2
    return "".join(made)


def plain(word: Word) -> str:
    """Return a word as it is written, but for its quotes."""
    return "".join(part.text for part in word)


def joined(parts: list[Part]) -> Word:
    """Join neighbours of one sort: a quoted text comes in single characters."""
    made: list[Part] = []
    for part in parts:
        last = made[-1] if made else None
        if (
            last
            and last.kind is part.kind is Kind.TEXT
            and (last.quoted, last.escaped) == (part.quoted, part.escaped)
        ):
            made[-1] = Part(Kind.TEXT, last.text + part.text, part.quoted, part.escaped)
        else:
            made.append(part)
    return tuple(made)
