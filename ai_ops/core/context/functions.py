"""Where functions begin and end in a file, in any of the languages whose traces are read.

Python is parsed. Of the others, what stands before a brace says whether a function begins there; Ruby
is read by its indentation. It may err: it only decides which lines are shown first.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ai_ops.core.guard.plain_code import plain

MOST_CODE = 1_000_000
"""Characters: a longer file is none that a person wrote, and is not looked into."""

_MOST_SPANS = 5_000
_DEEPEST = 5_000  # lines of one class that is told by its indentation
_HEADER = 400  # characters before a brace that may belong to it
_INDENTED = re.compile(
    r"^([ \t]*)(?:(?:async[ \t]+)?def[ \t]+(?:self\.)?([\w?!]+)|(?:class|module)[ \t]+([\w:]+))", re.MULTILINE
)
_NOISE = re.compile(r"@\w[\w.]*(?:\([^()]*\))?|#?\[[^\[\]\n]*\](?=\s)")
_NAMED_TYPE = re.compile(
    r"\b(?:class|interface|struct|enum|trait|object|record|namespace|mod|impl(?:\s*<[^{]*?>)?(?:[^{]*?\bfor)?)"
    r"\s+([A-Za-z_$][\w$]*)|\btype\s+(\w+)\s+struct"
)
_KEYWORD = re.compile(
    r"\b(?:func|fn|fun|function)\b[\s*]*(?:\([^()]*\)\s*)?(?:<[^>]*>\s*)?(?:[\w<>?]+\.)?([A-Za-z_$][\w$]*)"
)
_ASSIGNED = re.compile(
    r"(?<![.\w$])(?:[\w$]+\.)*([A-Za-z_$][\w$]*)\s*(?::[^=(]{0,80})?[=:]\s*(?:async\s*)?"
    r"(?:function\b|\([^{]*=>\s*\Z|[\w$]+\s*=>\s*\Z)"
)
_CALLED = re.compile(r"(?<![.\w$])([A-Za-z_$~][\w$]*)\s*(?:<[^<>()]*>)?\s*\(")
_PROPERTY = re.compile(
    r"\b(?:public|private|protected|internal|static|override)\b[^(]*?\b([A-Za-z_]\w*)\s*\Z"
)
_CONTROL_WORDS = """
if for foreach while switch catch else elseif elif try do with using lock synchronized match when select loop
unsafe return throw await yield new case fixed guard unless until and or not in is fn func
"""
_CONTROL = frozenset(_CONTROL_WORDS.split())
_SPLIT = re.compile(r"[^\w$?!<>~{]+")
_NO_NAME = re.compile(
    r"func\d+|lambda|\$?\d+|MoveNext|anonymous|closure|block|levels|in|ctor|cctor|init|module|main|new|async|rescue"
    r"|ensure|top|required|listcomp|genexpr|dictcomp|setcomp|locals|Object|impl|as|d__\d+|b__[\d_]+|c|h[0-9a-f]{16}",
)


@dataclass(frozen=True, slots=True)
class Span:
    """A function or a class: its name and its lines, 1-based, the last one included."""

    name: str
    first: int
    last: int

    def holds(self, line: int) -> bool:
        """Whether a line is one of its own."""
        return self.first <= line <= self.last


def names_of(function: str) -> tuple[str, ...]:
    """Return the names in what a trace calls a function, the innermost first, without what compilers add.

    ``shop/cart.(*Cart).Total.func1`` is of ``Total``, then ``Cart``; a nameless function has none.
    """
    # C#'s <Total>d__4 and Java's lambda$total$0 hide the name inside.
    told = re.sub(r"<(\w+)>(?=[a-z]__)|lambda\$(\w+)\$\d+", r" \1\2 ", function)
    words = [word for part in _SPLIT.split(told) for word in re.split(r"[<>{}$]+", part)]
    words = [re.sub(r"\A(?:get|set)_(?=\w)", "", word) for word in words]
    found = dict.fromkeys(word for word in reversed(words) if word and not _NO_NAME.fullmatch(word))
    if not found and re.fullmatch(r"(?:[\w.]*[.:])?main", function):
        return ("main",)
    return tuple(found)


def spans(path: str, text: str) -> tuple[Span, ...]:
    """Return the functions and classes of a file, in the order of their first lines."""
    if len(text) > MOST_CODE:
        return ()
    if path.endswith((".py", ".pyi")):
        found = _python(text)
        found = _indented(text, closed=False) if found is None else found
    elif path.endswith((".rb", ".rake")):
        found = _indented(text, closed=True)
    else:
        found = _braced(plain(path, text))
    return found[:_MOST_SPANS]


def around(found: Sequence[Span], line: int, names: Sequence[str]) -> Span | None:
    """Return the function that a frame stands in, or None.

    The smallest of its name that holds the line; else the nearest of its name, because what ran may be
    older than what is there; else, for a nameless one, the smallest that holds the line.
    """
    named = [span for span in found if names and span.name == names[0]]
    holding = [span for span in named or found if span.holds(line)]
    if holding:
        return min(holding, key=lambda span: span.last - span.first)
    return min(named, key=lambda span: abs(span.first - line), default=None)


def owner(found: Sequence[Span], span: Span) -> str:
    """Return the name of what a function stands in, such as its class; empty at the top of a file."""
    above = [each for each in found if each != span and each.first <= span.first and each.last >= span.last]
    return min(above, key=lambda each: each.last - each.first).name if above else ""


def _python(text: str) -> tuple[Span, ...] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = (node for node in ast.walk(tree) if isinstance(node, kinds))
    found = (
        Span(
            node.name,
            min([node.lineno, *(d.lineno for d in node.decorator_list)]),
            node.end_lineno or node.lineno,
        )
        for node in nodes
    )
    return tuple(sorted(found, key=lambda span: (span.first, -span.last)))


def _indented(text: str, *, closed: bool) -> tuple[Span, ...]:
    """Return what is told by indentation; ``closed`` when an ``end`` belongs to it."""
    lines = text.split("\n")
    ends = [0, *(at + 1 for at, char in enumerate(text) if char == "\n")]
    found = []
    for match in _INDENTED.finditer(text):
        first = bisect_left(ends, match.start() + 1)
        depth = len(match.group(1))
        last = first
        for number in range(first + 1, min(first + _DEEPEST, len(lines)) + 1):
            line = lines[number - 1]
            if line.strip() and len(line) - len(line.lstrip()) <= depth:
                last = number if closed else last
                break
            last = number if line.strip() else last
        found.append(Span(match.group(2) or match.group(3).rpartition(":")[2], first, last))
    return tuple(found)


def _braced(code: str) -> tuple[Span, ...]:
    """Return the named blocks of code whose comments and texts are blank."""
    found: list[Span] = []
    open_blocks: list[tuple[str, int]] = []
    line, header, header_at = 1, 0, 0
    for at, char in _marks(code):
        line += code.count("\n", header_at, at)
        header_at = at
        if char == "{":
            words = code[max(header, at - _HEADER) : at]
            open_blocks.append((_name(words), line - words.lstrip().count("\n")))
        elif char == "}" and open_blocks:
            name, first = open_blocks.pop()
            if name:
                found.append(Span(name, first, line))
        header = at + 1
    found += [Span(name, first, line) for name, first in open_blocks if name]
    return tuple(sorted(found, key=lambda span: (span.first, -span.last)))


def _marks(code: str) -> Iterator[tuple[int, str]]:
    """Yield braces and the semicolons that stand in no parentheses."""
    depth = 0
    for match in re.finditer(r"[{}();]", code):
        char = match.group()
        if char in "()":
            depth = max(depth + (1 if char == "(" else -1), 0)
        elif char != ";" or depth == 0:
            yield match.start(), char


def _name(header: str) -> str:
    """Return the name of the function or class that a block's header declares, empty for any other block."""
    words = _NOISE.sub(" ", header).strip()
    for pattern in (_KEYWORD, _NAMED_TYPE, _ASSIGNED):
        if found := pattern.search(words):
            return str(next(filter(None, found.groups())))
    if words.count("(") != words.count(")") or words.startswith((".", "=", ")")):
        return ""
    called = _CALLED.search(words)
    if called:
        before = words[: called.start()].split()
        taken = called.group(1) in _CONTROL or (before and before[0] in _CONTROL)
        return "" if taken else called.group(1)
    found = _PROPERTY.search(words)
    return found.group(1) if found else ""
