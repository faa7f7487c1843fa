"""Finding and reading report files in folders that untrusted code has written to.

Nothing is read through a link, and a report that lay there before the run is no report of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ai_ops.core.guard.patterns import matches
from ai_ops.core.reports import MAX_REPORT_BYTES
from ai_ops.core.runners.model import REPORT_FOLDER
from ai_ops.workspace.folders import read_regular

_MOST_FILES = 20_000
_UNSEEN = frozenset({".git", "node_modules"})


def walk(checkout: Path) -> Iterator[str]:
    """Yield the paths of a checkout's files, but git's and installed packages; no link is followed."""
    for place, folders, names in os.walk(checkout):
        folders[:] = sorted(name for name in folders if name not in _UNSEEN)
        inside = Path(place).relative_to(checkout)
        for name in sorted(names):
            yield (inside / name).as_posix()


def remove_reports(checkout: Path, places: Sequence[str]) -> None:
    """Remove what already lies in a checkout where reports are looked for."""
    if inside := _inside(places):
        for path in [path for path in walk(checkout) if any(matches(each, path) for each in inside)]:
            (checkout / path).unlink()


def read_reports(out: Path, checkout: Path, places: Sequence[str]) -> dict[str, bytes]:
    """Return the report files by path; none when one of them is no regular file, or they are too large.

    Args:
        out: the folder that stands at ``/report`` inside.
        checkout: the repository.
        places: paths beneath ``/report``, or patterns of paths in the checkout.
    """
    wanted = {
        place: out / place.removeprefix(f"{REPORT_FOLDER}/")
        for place in places
        if place.startswith(f"{REPORT_FOLDER}/")
    }
    if inside := _inside(places):
        found = (path for path in walk(checkout) if any(matches(each, path) for each in inside))
        wanted |= {path: checkout / path for path in found}
    reports: dict[str, bytes] = {}
    left = MAX_REPORT_BYTES
    for place, file in wanted.items():
        data = read_regular(file, left)
        if data is None or len(reports) >= _MOST_FILES:
            return {}
        reports[place] = data
        left -= len(data)
    return reports


def _inside(places: Sequence[str]) -> list[str]:
    """Return the patterns of paths in the checkout, anchored at its root."""
    return [f"/{place}" for place in places if not place.startswith(f"{REPORT_FOLDER}/")]
