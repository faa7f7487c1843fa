"""Conventional Commits, where a repository's history uses them: ``fix(scope): …``. Pure.

Subjects of the history are data: of them only the words of a scope are taken, and those only if they are
plain and name a place of the change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

MOST_SUBJECTS = 50
"""How much of the history is looked at."""

_SHARE = 0.6
_FEWEST = 3  # one or two commits are no habit
_LONGEST = 100  # characters of a first line, as linters of such messages want it
_ISSUE = re.compile(r"\b(gh|gl)-(?=\d)")  # a link to an issue of the host
_TYPES = "build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test"
_SUBJECT = re.compile(rf"(?:{_TYPES})(?:\((?P<scope>[a-z0-9][a-z0-9_/-]{{0,29}})\)|\([^()]*\))?!?: \S")
_PASSED_OVER = ("Merge ", "Revert ", "fixup! ", "squash! ")


def is_used(subjects: Sequence[str]) -> bool:
    """Whether at least 60 % of the subjects are conventional; merges and reverts are git's own words."""
    own = [subject for subject in subjects if not subject.startswith(_PASSED_OVER)]
    return len(own) >= _FEWEST and sum(map(_is_conventional, own)) >= _SHARE * len(own)


def title(plain: str, changed: str, subjects: Sequence[str]) -> str:
    """Return a plain title (``Fix KeyError in cart.py``) as the history would have it.

    ``changed`` is the path of the file that is repaired.
    """
    if not is_used(subjects):
        return plain
    scope = _ISSUE.sub(r"\1", _scope(changed, subjects))
    words = f"stop {plain.removeprefix('Fix ')}"
    return f"fix({scope}): {words}"[:_LONGEST].rstrip() if scope else f"fix: {words}"[:_LONGEST].rstrip()


def _is_conventional(subject: str) -> bool:
    return _SUBJECT.match(subject) is not None


def _scope(changed: str, subjects: Sequence[str]) -> str:
    """Return the scope, of those that the history uses, that names the file or a folder above it.

    Where scopes are usual and none fits, the file's own name; where they are not, none.
    """
    matches = [found for found in map(_SUBJECT.match, subjects) if found]
    scopes = Counter(found["scope"] for found in matches if found["scope"])
    path = PurePosixPath(changed)
    names = [path.stem.lower(), *(part.lower() for part in reversed(path.parts[:-1]))]
    known = next((name for name in names if name in scopes), "")
    if known or 2 * scopes.total() < len(matches):
        return known
    own = re.sub(r"[^a-z0-9_-]", "", path.stem.lower())[:30]
    return own if own[:1].isalnum() else ""
