"""Code of many languages without its comments and texts, for rules that look at words and braces alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class _Kind:
    """A comment or a text: how it begins, and all of it; ``end`` is the group that closes it.

    What is matched goes as far as it can whether it is closed or not, so that nobody looks there again.
    """

    opening: str
    whole: re.Pattern[str]
    must_close: bool = True


def _kind(opening: str, rest: str, *, must_close: bool = True) -> _Kind:
    return _Kind(opening, re.compile(opening + rest, re.DOTALL | re.MULTILINE), must_close)


_BLOCK = _kind(r"/\*", r".*?(?:\*/|\Z)", must_close=False)
_SLASHES = _kind("//", r"[^\n]*", must_close=False)
_LONG = _kind('"""', r'.*?(?:"""|\Z)', must_close=False)
_TEXT = _kind('"', r'(?:\\.|[^"\\\n])*+(?P<end>")?')
_QUOTED = _kind("'", r"(?:\\.|[^'\\\n])*+(?P<end>')?")
_LINES = _kind('"', r'(?:\\.|[^"\\])*+(?P<end>")?')
_QUOTED_LINES = _kind("'", r"(?:\\.|[^'\\])*+(?P<end>')?")
_TICKS = _kind("`", r"[^`]*+(?P<end>`)?")
_CHARACTER = _kind("'", r"(?P<end>(?:\\[^']{1,9}|[^'\\\n])')?")
_RAW = _kind('r#+"', r'(?:.*?(?P<end>"#+)|.*+)')
_HASH = _kind(r"#(?!\[)", r"[^\n]*", must_close=False)
_RUBY_HASH = _kind(r"(?<!\\)#(?!\{)", r"[^\n]*", must_close=False)
_BEGIN = _kind(r"^=begin\b", r".*?(?:^=end\b|\Z)", must_close=False)


class _Grammar:
    """The comments and texts of a language; of two that may begin at a place, the first is meant."""

    def __init__(self, *kinds: _Kind) -> None:
        self.kinds = kinds
        self.opening = re.compile("|".join(f"({kind.opening})" for kind in kinds), re.MULTILINE)


_BRACES = _Grammar(_BLOCK, _SLASHES, _LONG, _TEXT, _QUOTED, _TICKS)
_RUST = _Grammar(_BLOCK, _SLASHES, _RAW, _LINES, _CHARACTER)
_PHP = _Grammar(_BLOCK, _SLASHES, _HASH, _LINES, _QUOTED_LINES)
_RUBY = _Grammar(_BEGIN, _RUBY_HASH, _TEXT, _QUOTED)
_BY_SUFFIX = {".rs": _RUST, ".php": _PHP, ".rb": _RUBY, ".rake": _RUBY}
_CLOSING = {"{": "}", "(": ")"}


def plain(path: str, text: str) -> str:
    """Blank out comments and texts, keeping line numbers; in one pass, in linear time.

    A template with an expression inside is kept, since that is code; so is a quote that nothing closes.
    """
    grammar = _BY_SUFFIX.get(PurePosixPath(path).suffix, _BRACES)
    parts, done, at = [], 0, 0
    unclosed = dict.fromkeys(grammar.kinds, 0)  # up to where none of a kind is closed
    while opening := grammar.opening.search(text, at):
        start = opening.start()
        kind = grammar.kinds[(opening.lastindex or 1) - 1]
        at = start + 1
        if start < unclosed[kind]:
            continue
        found = kind.whole.match(text, start)
        if found is None or (kind.must_close and found["end"] is None):
            unclosed[kind] = found.end() if found else at
            continue
        parts += [text[done:start], _blank(found.group())]
        done = at = found.end()
    return "".join((*parts, text[done:]))


def _blank(word: str) -> str:
    """Return what stands for a comment or a text."""
    if word[0] == "`" and "${" in word:
        return word
    lines = "\n" * word.count("\n")
    return f'""{lines}' if word[0] in "\"'`r" else lines or " "


def enclosed(text: str, start: int) -> str:
    """Return what is between the bracket at ``start`` and the one that closes it, or the end of the text."""
    opening = text[start]
    closing, depth = _CLOSING[opening], 0
    for found in re.compile(f"[{re.escape(opening + closing)}]").finditer(text, start):
        depth += 1 if found.group() == opening else -1
        if depth == 0:
            return text[start + 1 : found.start()]
    return text[start + 1 :]


def arguments(text: str) -> Iterator[str]:
    """Yield what commas outside of all brackets divide."""
    depth, start = 0, 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]
