"""Reading code that somebody hostile may have written: it may be no code, or too deep for any parser."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

from ai_ops.core.diff import FileDiff
from ai_ops.core.guard.findings import Change

T = TypeVar("T")
N = TypeVar("N")

CODE = (
    ".py", ".pyi", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".java", ".kt", ".kts", ".scala", ".groovy",
    ".go", ".rb", ".php", ".cs", ".rs", ".swift", ".dart", ".sh", ".c", ".cc", ".cpp",
)  # fmt: skip
PYTHON = (".py", ".pyi")


def read_python(source: str | None, read: Callable[[ast.Module], T], unreadable: N) -> T | N:
    """Return what ``read`` makes of a module's tree; ``unreadable`` when it cannot be parsed, nor run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read(ast.parse(source or ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return unreadable


def added_places(
    change: Change, python: Callable[[ast.Module], list[int]], other: Callable[[str], bool]
) -> Iterator[str]:
    """Yield ``path:line`` of the added lines of code that a rule means, each once.

    Args:
        change: its files are new, so that what was added is all there is.
        python: returns the lines of a Python module that are meant.
        other: whether a line of another language is.
    """
    for file in change.files:
        if file.path.endswith(CODE) and not file.is_deleted:
            for line in dict.fromkeys(_lines(file, python, other)):
                yield f"{file.path}:{line}"


def _lines(
    file: FileDiff, python: Callable[[ast.Module], list[int]], other: Callable[[str], bool]
) -> list[int]:
    if not file.path.endswith(PYTHON):
        return [number for number, text in file.added_lines if other(text)]
    return read_python("\n".join(text for _, text in file.added_lines), python, [])
