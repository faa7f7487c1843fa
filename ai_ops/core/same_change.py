"""Whether two changes are the same one: two errors of one cause lead to one fix, and that is proposed once.

The tests that reproduce the errors differ and do not count. What stands around the lines counts: the same
lines put into another function are another change. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ai_ops.core import diff
from ai_ops.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Change:
    """A change of text files: its hunks by file, and the commit that it is made on."""

    base_sha: str
    files: Mapping[str, tuple[diff.Hunk, ...]]


def change_of(patch: str, base_sha: str, leaving_out: Collection[str] = ()) -> Change:
    """Return what a patch changes, but for the files of ``leaving_out``.

    It has no files when nothing is left, when the patch cannot be read, or when it changes more than lines of
    text.
    """
    try:
        files = [file for file in diff.parse(patch) if file.path not in leaving_out]
    except PermanentError:
        files = []
    if any(_more_than_lines(file) for file in files):
        files = []
    return Change(base_sha, {file.path: file.hunks for file in files})


def same(one: Change, other: Change) -> bool:
    """Whether two changes are the same; one without files is like no other.

    On one commit they are at the same lines too; from one to another lines move.
    """
    exact = one.base_sha == other.base_sha
    return bool(one.files) and _told(one, exact) == _told(other, exact)


def _told(change: Change, exact: bool) -> dict[str, list[tuple[object, ...]]]:
    return {
        path: [(hunk.start if exact else 0, hunk.heading, hunk.lines) for hunk in hunks]
        for path, hunks in change.files.items()
    }


def _more_than_lines(file: diff.FileDiff) -> bool:
    return not file.hunks or file.is_binary or file.is_symlink or file.is_submodule or file.mode_changed
