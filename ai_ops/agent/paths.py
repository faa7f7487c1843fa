"""What the patterns of the configuration say of a path, and why one of them finds nothing.

``LogMonitor`` expands patterns on the disk. Here a path may be long gone: a rejected event names the
file that it came from.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from ai_ops.monitoring.rotation import is_compressed, originals


def source_of(path: str, patterns: Sequence[str]) -> int | None:
    """Return the index of the first pattern that a file, or what rotation made of it, belongs to.

    All are absolute.
    """
    for belongs in (matches, _rotated_from):
        for index, pattern in enumerate(patterns):
            if belongs(path, pattern):
                return index
    return None


def matches(path: str, pattern: str) -> bool:
    """Whether a pattern means a path, as ``glob`` would have it."""
    return path == pattern or _match(PurePath(path).parts, PurePath(pattern).parts)


def why_nothing(pattern: str) -> str:
    """Return why no file of an absolute pattern can be followed; empty when nothing speaks against it."""
    if not glob.has_magic(pattern):
        return _why_not(pattern)
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - the pattern may be absolute
    if found:
        reasons = [_why_not(path) for path in sorted(found)]
        return reasons[0] if all(reasons) else ""
    return _why_no_entry(_folder_of(pattern)) or "no file matches"


def _match(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    first, rest = patterns[0], patterns[1:]
    if first == "**":
        return _match(parts, rest) or (bool(parts) and not _hidden(parts[0]) and _match(parts[1:], patterns))
    if not parts or (_hidden(parts[0]) and not _hidden(first)):
        return False
    return fnmatchcase(parts[0], first) and _match(parts[1:], rest)


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _rotated_from(path: str, pattern: str) -> bool:
    return any(matches(original, pattern) for original in originals(path))


def _folder_of(pattern: str) -> str:
    """Return the folder before a pattern's first wildcard."""
    while glob.has_magic(pattern):
        pattern = os.path.dirname(pattern)  # noqa: PTH120
    return pattern


def _why_not(path: str) -> str:
    """Return why a file cannot be followed."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
        if stat.S_ISDIR(mode):
            return f"{path} is a folder; name the files in it, such as {os.path.join(path, '*.log')}"  # noqa: PTH118
        if not stat.S_ISREG(mode):
            return f"{path} is not a regular file"
        if is_compressed(path):
            return f"{path} is compressed"
        with Path(path).open("rb"):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return _why_no_entry(os.path.dirname(path)) or "there is no such file"  # noqa: PTH120
    except OSError as error:
        return _words(path, error)


def _why_no_entry(folder: str) -> str:
    """Return what is wrong with a folder: the first of its parents that is not there, or may not be read."""
    for place in (*reversed(Path(folder).parents), Path(folder)):
        try:
            if not stat.S_ISDIR(place.stat().st_mode):
                return f"{place} is not a folder"
        except FileNotFoundError:
            return f"the folder {place} does not exist"
        except OSError as error:
            return _words(str(place), error)
    try:
        with os.scandir(folder):
            return ""
    except OSError as error:
        return _words(folder, error)


def _words(path: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"no permission to read {path}"
    return f"{path}: {error.strerror}"
