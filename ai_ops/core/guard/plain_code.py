"""Code of many languages without its comments and texts, for rules that look at words and braces alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

_BLOCK, _SLASHES = r"/\*.*?(?:\*/|\Z)", r"//[^\n]*"
_TEXT = r'"(?:\\.|[^"\\\n])*"'
_QUOTED = r"'(?:\\.|[^'\\\n])*'"
_LONG = r'"""[\s\S]*?(?:"""|\Z)'
_TICKS = r"`[^`]*`"


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.DOTALL)


_BRACES = _pattern(_BLOCK, _SLASHES, _LONG, _TEXT, _QUOTED, _TICKS)
_RUST = _pattern(_BLOCK, _SLASHES, r'r#+".*?"#+', r'"(?:\\.|[^"\\])*"', r"'(?:\\[^']{1,9}|[^'\\\n])'")
_PHP = _pattern(_BLOCK, _SLASHES, r"#(?!\[)[^\n]*", r'"(?:\\.|[^"\\])*"', r"'(?:\\.|[^'\\])*'")
_RUBY = _pattern(r"^=begin\b.*?(?:^=end\b|\Z)", r"(?<!\\)#(?!\{)[^\n]*", _TEXT, _QUOTED)
_RUBY = re.compile(_RUBY.pattern, re.DOTALL | re.MULTILINE)
_BY_SUFFIX = {".rs": _RUST, ".php": _PHP, ".rb": _RUBY, ".rake": _RUBY}
_CLOSING = {"{": "}", "(": ")"}


def plain(path: str, text: str) -> str:
    """Blank out comments and texts, keeping line numbers; in one pass.

    A template with an expression inside is kept, since that is code.
    """

    def blank(found: re.Match[str]) -> str:
        word = found.group()
        if word[0] == "`" and "${" in word:
            return word
        lines = "\n" * word.count("\n")
        return f'""{lines}' if word[0] in "\"'`r" else lines or " "

    return _BY_SUFFIX.get(PurePosixPath(path).suffix, _BRACES).sub(blank, text)


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
