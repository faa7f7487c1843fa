"""Who calls a function: a search for its name, with a look at the code around each find.

Names are no proof: another function of the name may be meant. So a file that speaks of the function's
own module comes first, and where a name is everywhere, only such files count.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ai_ops.core.context.functions import MOST_CODE, Span, owner, spans
from ai_ops.core.context.paths import is_copy, is_test, stem_of, suffix_of
from ai_ops.core.guard.plain_code import plain

Read = Callable[[str], str | None]
"""Returns the text of a file of the repository, or None when it cannot be shown."""

_MOST_FILES = 1500
_MOST_BYTES = 16_000_000
_COMMON = 12  # more files than these say nothing by the name alone
_MOST_READ = 16  # files whose code is looked at
_MOST_FOUND = 200  # in one file
_MOST_CALLS = 2  # of one file
_BEFORE_NAME = 200  # characters in which a declaration has its type
_EVERYWHERE = frozenset(("__init__", "index", "lib", "mod", "main"))
_CONSTRUCTORS = frozenset(
    ("__init__", "constructor", "initialize", "__construct", "__new__", "__post_init__")
)
# A word before a name is its type, or the keyword of a declaration; unless it begins or joins a statement.
_DECLARED = re.compile(
    r"(?<![\w$])(?!(?:return|await|new|throw|else|in|of|do|yield|case|and|or|not|if|while|unless|until|typeof|when"
    r"|match|go|defer|puts|raise|echo|print|then|is|as)\b)[\w$]+[>\]?*]*\s+(?:self\.)?\Z"
)


@dataclass(frozen=True, slots=True)
class Called:
    """A function that is called: where it stands, and what it is called by name."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A line that calls ``name``, and the function that it stands in, if any."""

    path: str
    line: int
    name: str
    span: Span | None = None


def called(path: str, span: Span, others: Sequence[Span]) -> Called:
    """Return a function as it is called: one that makes an object by the name of its class."""
    name = owner(others, span) if span.name in _CONSTRUCTORS else span.name
    return Called(path, name or span.name)


def calls_of(function: Called, paths: Sequence[str], read: Read) -> tuple[Call, ...]:
    """Return the calls of a function in files of its language, the likeliest first; itself is left out."""
    about = re.compile(rf"(?<![\w$]){re.escape(_module(function.path))}(?![\w$])", re.IGNORECASE)
    found = [
        (path != function.path and about.search(text) is None, path, text)
        for path, text in _naming(function, paths, read)
    ]
    if len(found) > _COMMON:
        found = [each for each in found if not each[0]]
    found.sort(key=lambda each: each[0])  # stable: the nearest stay first
    calls: list[Call] = []
    for _, path, text in found[:_MOST_READ]:
        calls += list(_calls_in(path, text, function))[:_MOST_CALLS]
    return tuple(calls)


def _module(path: str) -> str:
    """Return the name by which code speaks of a file: its folder's, where every folder has such a file."""
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return folder if folder and stem_of(path) in _EVERYWHERE else stem_of(path)


def _naming(function: Called, paths: Sequence[str], read: Read) -> Iterator[tuple[str, str]]:
    """Yield the files that may call a function, the nearest ones first, within bounds."""
    kind, left = suffix_of(function.path), _MOST_BYTES
    alike = [path for path in paths if suffix_of(path) == kind and not is_copy(path) and ".min." not in path]
    alike.sort(key=lambda path: (-_nearness(path, function.path), is_test(path), path))
    call = _call_of(function.name, function.path)
    for path in alike[:_MOST_FILES]:
        text = read(path) or ""
        left -= len(text)
        if left < 0:
            return
        if len(text) <= MOST_CODE and function.name in text and call.search(text):
            yield path, text


def _call_of(name: str, path: str) -> re.Pattern[str]:
    ruby = path.endswith((".rb", ".rake"))  # whose calls need no parentheses
    behind = r"(?![\w$?!])" if ruby else r"\s{0,40}(?:<[^<>()\n]{0,80}>)?\s{0,40}\("
    return re.compile(rf"(?<![\w$]){re.escape(name)}{behind}")


def _nearness(one: str, other: str) -> int:
    """Return how many folders two files have in common, from the top."""
    common = 0
    for left, right in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if left != right:
            break
        common += 1
    return common


def _calls_in(path: str, text: str, function: Called) -> Iterator[Call]:
    own = spans(path, text)
    lines = _python_calls(text, function.name) if path.endswith((".py", ".pyi")) else None
    if lines is None:
        lines = _calls_by_words(path, text, function.name, own)
    shown = set()
    for line in lines:
        holding = [span for span in own if span.holds(line)]
        span = min(holding, key=lambda span: span.last - span.first, default=None)
        itself = path == function.path and span is not None and span.name == function.name
        if not itself and span not in shown:
            shown.add(span)
            yield Call(path, line, function.name, span)


def _python_calls(text: str, name: str) -> list[int] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            nodes = list(ast.walk(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    made = (node.func for node in nodes if isinstance(node, ast.Call))
    return sorted(
        {
            func.lineno
            for func in made
            if (isinstance(func, ast.Name) and func.id == name)
            or (isinstance(func, ast.Attribute) and func.attr == name)
        }
    )


def _calls_by_words(path: str, text: str, name: str, own: Sequence[Span]) -> list[int]:
    """Return the lines on which the name is called, outside of comments, texts and its declarations."""
    code = plain(path, text)
    found: list[tuple[int, bool]] = []
    line, at = 1, 0
    for match in islice(_call_of(name, path).finditer(code), _MOST_FOUND):
        line += code.count("\n", at, match.start())
        at = match.start()
        before = code[max(code.rfind("\n", 0, at) + 1, at - _BEFORE_NAME) : at]
        found.append((line, _DECLARED.search(before) is not None))
    for span in own:
        first = bisect_left(found, (span.first, False))
        if span.name == name and first < len(found):  # where it is declared
            found[first] = (found[first][0], True)
    return [line for line, declared in found if not declared]
