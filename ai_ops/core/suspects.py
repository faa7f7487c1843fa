"""From a trace to suspects: which lines to ask the history about, and its answer in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ai_ops.core.context import Paths, map_path
from ai_ops.core.untrusted import clean
from ai_ops.core.wording import counted
from ai_ops.flow.event import Frame
from ai_ops.flow.suspects import SuspectCommit, Suspects

MOST_COMMITS = 3
"""How many commits are shown, of the lines and of the release each."""

_MOST_LINES = 5
_AUTHOR = 60
_SUBJECT = 100

Line = tuple[str, int]
"""A file of the repository and the number of a line in it, from 1."""


def lines_of(frames: Sequence[Frame], paths: Sequence[str]) -> tuple[Line, ...]:
    """Return the lines of the application in a trace, the innermost first, in files of the repository."""
    found: dict[Line, None] = {}
    index = Paths(paths)
    for frame in reversed(frames):
        path = map_path(frame.file, index) if frame.in_app and frame.line > 0 else None
        if path:
            found[path, frame.line] = None
    return tuple(found)[:_MOST_LINES]


def by_commit(lines: Sequence[Line], blamed: Mapping[Line, SuspectCommit]) -> tuple[SuspectCommit, ...]:
    """Return the commits that touched the lines last, each with its lines, that of the innermost first."""
    found: dict[str, SuspectCommit] = {}
    for path, number in lines:
        if commit := blamed.get((path, number)):
            known = found.get(commit.sha, commit)
            found[commit.sha] = replace(known, places=(*known.places, f"{path}:{number}"))
    return tuple(found.values())[:MOST_COMMITS]


def author(commit: SuspectCommit) -> str:
    """Return who made a commit, on one line, without hidden characters."""
    return _one_line(commit.author, _AUTHOR) or "somebody"


def subject(commit: SuspectCommit) -> str:
    """Return what a commit says of itself, on one line, without hidden characters."""
    return _one_line(commit.subject, _SUBJECT)


def sentences(suspects: Suspects) -> Iterator[str]:
    """Yield what is known as plain lines. Names and subjects in them are what committers wrote."""
    for commit in suspects.commits:
        yield f"{', '.join(commit.places)}: last touched by {_told(commit)}"
    release = suspects.release
    if release is None:
        return
    number = counted(release.number, "commit")
    yield f"Seen since release {release.after[:12]}, {number} after {release.before[:12]}; of these:"
    for commit in release.commits:
        yield f"- {_told(commit)}"


def _told(commit: SuspectCommit) -> str:
    return f"{author(commit)} in {commit.sha[:12]}, {commit.at.date().isoformat()}: {subject(commit)}"


def _one_line(text: str, limit: int) -> str:
    words = " ".join(clean(text).text.split())
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
