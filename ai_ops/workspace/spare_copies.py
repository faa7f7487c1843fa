"""Copies of trees, one of each made before it is asked for: a run asks for the same tree about ten times.

While the model thinks or the tests run, the next checkout is laid. Where a checkout can be an overlay,
nobody needs this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from ai_ops.workspace.folders import copy_tree, fresh_folder, remove_tree

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Making:
    """A spare copy on its way. ``awaited`` when somebody waits for it: it will serve one."""

    awaited: bool = False
    task: asyncio.Task[None] = field(init=False)


class SpareCopies:
    """Keeps the spare copies beneath ``root``; one manager of runs uses it at a time.

    Nothing untrusted writes to a spare copy. Only those that this process made are used: what another one
    left may lack what a power cut took.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ready: dict[str, Path] = {}
        self._making: dict[str, _Making] = {}
        self._in_hand: set[Path] = set()  # being made, ready, or on its way to its place

    async def lay(self, tree: Path, target: Path) -> None:
        """Make the empty folder ``target`` a copy of ``tree``, and begin the next one.

        Raises:
            OSError: it cannot be copied.
        """
        spare = await self._claim(tree.name)
        if spare is None:
            await _copy(tree, target)
        else:
            try:
                await asyncio.to_thread(spare.rename, target)
            finally:
                self._in_hand.discard(spare)
        if tree.name not in self._ready and tree.name not in self._making:
            making = self._making[tree.name] = _Making()
            making.task = asyncio.create_task(self._make(tree))

    async def _claim(self, name: str) -> Path | None:
        """Return the spare copy, waiting for one that is on its way unless another does; None without one."""
        making = self._making.get(name)
        if making is not None and not making.awaited:
            making.awaited = True
            try:
                await asyncio.wait([making.task])
            finally:
                making.awaited = False
        return self._ready.pop(name, None)

    async def _make(self, tree: Path) -> None:
        made = self._root / uuid4().hex
        self._in_hand.add(made)
        try:
            await asyncio.to_thread(fresh_folder, made)
            await _copy(tree, made)
            self._ready[tree.name] = made
        except OSError as error:  # a full disk, or the tree is gone: whoever needs one is told then
            log.debug("no spare copy of %s: %s", tree.name, error)
        finally:
            del self._making[tree.name]
            if self._ready.get(tree.name) != made:
                self._in_hand.discard(made)

    async def at_rest(self) -> None:
        """Return when no spare copy is being made."""
        if self._making:
            await asyncio.wait([making.task for making in self._making.values()])

    async def clear(self, used: Collection[str]) -> None:
        """Remove the copies of trees that are not among ``used``, and what is nobody's."""
        unused = [making.task for name, making in self._making.items() if name not in used]
        for task in unused:
            task.cancel()
        if unused:
            await asyncio.wait(unused)
        for name in [name for name in self._ready if name not in used]:
            self._in_hand.discard(self._ready.pop(name))
        await asyncio.to_thread(_remove_all_but, self._root, self._in_hand)


async def _copy(tree: Path, target: Path) -> None:
    """Copy a tree. When this is cancelled, it returns when nothing writes there any more."""
    stop = threading.Event()
    copying = asyncio.ensure_future(asyncio.to_thread(copy_tree, tree, target, stop))
    try:
        await asyncio.shield(copying)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([copying])
        raise


def _remove_all_but(root: Path, kept: Collection[Path]) -> None:
    """``kept`` is asked after each look: what was listed may have been begun by then, not forgotten."""
    with contextlib.suppress(FileNotFoundError):  # the root, or what took its place meanwhile
        for folder in root.iterdir():
            if folder not in kept:
                remove_tree(folder)
