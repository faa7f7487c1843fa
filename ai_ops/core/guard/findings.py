"""What the guard looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ai_ops.core.diff import FileDiff
from ai_ops.core.guard.syntax import Root, Tree, read

_KEPT_CHARACTERS = 1_000_000  # of files; their trees take some fifty times as much
Reader = Callable[[str], bytes | None]


class Severity(StrEnum):
    """``BLOCKED`` withholds the change for a person; ``WARNING`` is shown beside it."""

    BLOCKED = "blocked"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule saw: a stable rule name, a place (``path`` or ``path:line``), and words."""

    rule: str
    place: str
    text: str
    severity: Severity = Severity.BLOCKED


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a fix may be: files, added and removed lines together, characters of the patch."""

    files: int = 20
    lines: int = 600
    characters: int = 500_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change under review.

    ``reproduction`` maps its paths to their bytes as they were proved. ``exception_type`` is the logged
    error's, empty when unknown. ``test_files`` are the files that the baseline's report names.
    ``collected`` are the files that the reproduction's report names, None while there is no report.
    ``logged`` is what the log says of the error: its message and what stands around it.
    """

    files: tuple[FileDiff, ...]
    characters: int
    base: Reader
    after: Reader
    protected: tuple[str, ...]
    limits: Limits
    reproduction: Mapping[str, bytes]
    redact: Callable[[str], str] = field(repr=False)
    exception_type: str = ""
    test_files: frozenset[str] = frozenset()
    collected: frozenset[str] | None = None
    logged: str = ""
    _trees: dict[tuple[str, str], Tree | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def text(self, reader: Reader, path: str) -> str | None:
        """Return a file's text for the rules that read code; undecodable bytes are replaced."""
        content = reader(path)
        return None if content is None else content.decode("utf-8-sig", "replace")

    def tree(self, path: str, source: str | None) -> Tree | None:
        """Return a file's syntax tree, as ``syntax.read`` does: made once, unless there are too many."""
        key = path, source or ""
        if key in self._trees:
            return self._trees[key]
        made = read(path, source)
        if sum(len(kept) for _, kept in (*self._trees, key)) <= _KEPT_CHARACTERS:
            self._trees[key] = made
        return made

    def forget(self) -> None:
        """Let go of the trees; they would wait for the next look for garbage."""
        for tree in self._trees.values():
            if tree is not None and isinstance(tree.root, Root):
                tree.root.kept.clear()
        self._trees.clear()
