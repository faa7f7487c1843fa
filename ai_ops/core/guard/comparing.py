"""The changed code as syntax trees of before and after, side by side."""

from __future__ import annotations

from collections.abc import Iterator

from ai_ops.core.guard.findings import Change
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import Tree


def compared(change: Change) -> Iterator[tuple[str, Tree, Tree]]:
    """Yield path, tree before and tree after of each changed file that is code and no test."""
    for file in change.files:
        if file.is_deleted or file.is_binary or is_test(change, file.path):
            continue
        before = change.tree(file.path, change.text(change.base, file.path))
        after = change.tree(file.path, change.text(change.after, file.path))
        if before is not None and after is not None:
            yield file.path, before, after
