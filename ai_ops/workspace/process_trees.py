"""The processes of a worker: gathered as they are started, summed and killed with all that they started.

Where there is no ``/proc`` (macOS) they are killed all the same, and counted as using nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ai_ops import process
from ai_ops.core.ports import TreeUse
from ai_ops.workspace.watcher import proportional_bytes, tree


class ProcessTree:
    """Implements ``ChildTree``."""

    def __init__(self, children: process.Children) -> None:
        self._children = children

    @property
    def words(self) -> int:
        """How often they have printed something."""
        return self._children.words

    def look(self) -> TreeUse:
        """Return what they use now."""
        if sys.platform != "linux":
            return TreeUse(processes=len(self._children.pids))
        found = {one.pid: one for pid in tuple(self._children.pids) for one in tree(pid)}
        return TreeUse(
            sum(proportional_bytes(one) for one in found.values()),
            sum(one.cpu_seconds for one in found.values()),
            len(found),
        )

    def kill(self) -> None:
        """Kill them all; each leads a group of its own."""
        for pid in tuple(self._children.pids):
            process.kill_group(pid)


class ProcessNursery:
    """Implements ``Nursery``."""

    @contextmanager
    def gather(self) -> Iterator[ProcessTree]:
        """Gather the processes that are started while entered."""
        with process.gathered() as children:
            yield ProcessTree(children)
