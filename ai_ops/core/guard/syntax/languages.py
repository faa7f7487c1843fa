"""Which language a file is in, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from ai_ops.core.guard.syntax import go, java, javascript, python, rust
from ai_ops.core.guard.syntax.dialect import Dialect

_BY_SUFFIX: Mapping[str, Callable[[], Dialect]] = {
    ".py": python.dialect,
    ".pyi": python.dialect,
    ".java": java.dialect,
    ".go": go.dialect,
    ".rs": rust.dialect,
    ".ts": javascript.typescript,
    ".mts": javascript.typescript,
    ".cts": javascript.typescript,
    ".tsx": javascript.tsx,
} | dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), javascript.dialect)


def dialect_of(path: str) -> Dialect | None:
    """Return the dialect of a file; None for a language without a grammar here."""
    made = _BY_SUFFIX.get(PurePosixPath(path).suffix)
    return made() if made else None
