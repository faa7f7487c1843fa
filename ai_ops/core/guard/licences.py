"""A rule about licences: what a file says of its copyright stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ai_ops.core.guard.findings import Change, Finding

_FILES = re.compile(
    r"(?:un)?licen[cs]e(?:[.-].*)?|copying(?:[.-].*)?|notice(?:\.\w+)?|copyright(?:\.\w+)?", re.IGNORECASE
)
_SPEAKS = re.compile(r"licen[cs]e|copyright|\(c\)|©|SPDX-|all rights reserved", re.IGNORECASE)
_REMARK = re.compile(r"\s*(?:#|//|/\*|\*|--|;|<!--|\"\"\"|'''|%|\Z)")
_MOST_LINES = 60


def licence_headers(change: Change) -> Iterator[Finding]:
    """Find headers about a licence that are changed or gone, and changed licence files."""
    for file in change.files:
        if _FILES.fullmatch(PurePosixPath(file.path).name) and not file.is_new:
            yield Finding("licence_changed", file.path, "the file of the licence is changed or deleted")
            continue
        if file.is_new or file.is_deleted or file.is_binary:
            continue
        before, after = (change.text(reader, file.path) or "" for reader in (change.base, change.after))
        lost = [line for line in header(before) if line not in set(header(after))]
        if lost:
            text = f"the header about the licence is changed: {lost[0][:80]}"
            yield Finding("licence_changed", f"{file.path}:1", text)


def header(text: str) -> tuple[str, ...]:
    """Return the lines of the remark that a file begins with, when it is about a licence; else nothing."""
    lines: list[str] = []
    inside = False
    for line in text.split("\n", _MOST_LINES)[:_MOST_LINES]:
        opens, closes = line.lstrip().startswith(("/*", "<!--")), "*/" in line or "-->" in line
        if not (inside or line.startswith("#!") or _REMARK.match(line)):
            break
        inside = (inside or opens) and not closes
        lines.append(line.strip())
    said = tuple(line for line in lines if line)
    speaking = [at for at, line in enumerate(said) if _SPEAKS.search(line)]
    return said[: speaking[-1] + 1] if speaking else ()
