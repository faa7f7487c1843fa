"""Path patterns, as in ``protected_paths``.

Case never counts. A pattern without a slash inside matches a file or folder of that name at any
depth; one with a slash is anchored at the root. ``*`` stays inside a name, ``**`` spans folders, and
what matches a folder covers all that is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase


def _match(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the pattern's names cover the path or a folder above it."""
    reached = {0}  # how many names can be used up after each part of the pattern
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached, default=len(names)), len(names) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(names) and fnmatchcase(names[at], part)}
    return bool(reached)


def matches(pattern: str, path: str) -> bool:
    """Return whether ``pattern`` covers ``path``."""
    parts = pattern.casefold().removeprefix("./").strip("/").split("/")
    names = path.casefold().split("/")
    if parts == [""]:
        return False
    if len(parts) == 1 and not pattern.startswith("/"):
        parts = ["**", *parts]
    return _match(parts, names)


def first_match(patterns: Iterable[str], path: str) -> str | None:
    """Return the first pattern that covers ``path``."""
    return next((pattern for pattern in patterns if matches(pattern, path)), None)
