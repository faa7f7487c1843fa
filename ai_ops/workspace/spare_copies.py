"""Copies of trees, one of each made before it is asked for: a run asks for the same tree about ten times.

While the model thinks or the tests run, the next checkout is laid. Where a checkout can be an overlay,
nobody needs this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from ai_ops.workspace.folders import copy_tree, fresh_folder, remove_tree

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Making:
    """A spare copy on its way. ``awaited`` while somebody waits for it: then it is nobody else's."""

    task: asyncio.Task[Path]
    awaited: bool = False

    @property
    def made(self) -> Path | None:
        """The copy; None when there is none, or none yet."""
        over = self.task.done() and not self.task.cancelled() and self.task.exception() is None
        return self.task.result() if over else None


class SpareCopies:
    """Keeps the spare copies beneath ``root``; one manager of runs uses it at a time.

    Nothing untrusted writes to a spare copy. Only those that this process made are used: what another one
    left may lack what a power cut took.

    Args:
        root: its own folder.
        floor_bytes: how much of the disk stays free beside them: they must take nothing from those at work.
    """

    def __init__(self, root: Path, floor_bytes: int) -> None:
        self._root = root
        self._floor = floor_bytes
        self._sizes: dict[str, int] = {}  # of the trees that were copied, in bytes
        self._ready: dict[str, Path] = {}
        self._making: dict[str, _Making] = {}
        self._in_hand: set[Path] = set()  # being made, ready, or on its way to its place
        self._clearing = asyncio.Lock()

    async def lay(self, tree: Path, target: Path) -> None:
        """Make the empty folder ``target`` a copy of ``tree``, and begin the next one.

        Raises:
            OSError: it cannot be copied.
        """
        spare = await self._claim(tree.name)
        if spare is None or not await self._moved(spare, target):
            self._sizes[tree.name] = await _copied(tree, target)
        await self._begin(tree)

    async def _claim(self, name: str) -> Path | None:
        """Return the spare copy, waiting for one that is on its way unless another does; None without one."""
        making = self._making.get(name)
        if making is None or making.awaited:
            return self._ready.pop(name, None)
        making.awaited = True
        try:
            await asyncio.wait([making.task])
        except asyncio.CancelledError:
            making.awaited = False
            self._keep(name, making)
            raise
        return making.made

    async def _moved(self, spare: Path, target: Path) -> bool:
        try:
            await _to_the_end(spare.rename, target)
        except OSError as error:
            log.warning("a spare copy could not be used: %s", error)
            return False
        finally:
            self._in_hand.discard(spare)
        return True

    async def _begin(self, tree: Path) -> None:
        name = tree.name
        if await asyncio.to_thread(self._has_room, self._sizes.get(name)):
            if name in self._ready or name in self._making:
                return
            making = self._making[name] = _Making(asyncio.create_task(self._made(tree)))
            making.task.add_done_callback(lambda _: self._over(name, making))

    def _has_room(self, size: int | None) -> bool:
        if size is None:
            return False
        with contextlib.suppress(FileNotFoundError):  # it is the first one
            return shutil.disk_usage(self._root).free - size > self._floor
        return shutil.disk_usage(self._root.parent).free - size > self._floor

    async def _made(self, tree: Path) -> Path:
        made = self._root / uuid4().hex
        self._in_hand.add(made)
        try:
            await asyncio.to_thread(fresh_folder, made)
            await _copied(tree, made)
        except BaseException:  # cancelled too: half a copy must not lie on the disk
            await _to_the_end(remove_tree, made)
            self._in_hand.discard(made)
            raise
        return made

    def _over(self, name: str, making: _Making) -> None:
        del self._making[name]
        if not making.awaited:
            self._keep(name, making)
        if not making.task.cancelled() and (error := making.task.exception()):
            # A full disk, or the tree is gone: whoever needs a copy is told then.
            log.info("no spare copy of %s: %s", name, error)

    def _keep(self, name: str, making: _Making) -> None:
        if making.made is not None:
            self._ready[name] = making.made

    async def at_rest(self) -> None:
        """Return when no spare copy is being made."""
        while self._making:
            await asyncio.wait([making.task for making in self._making.values()])
            await asyncio.sleep(0)

    async def clear(self, used: Collection[str]) -> None:
        """Remove the copies of trees that are not among ``used``, and what is nobody's."""
        async with self._clearing:
            unused = [making.task for name, making in self._making.items() if name not in used]
            for task in unused:
                task.cancel()
            if unused:
                await asyncio.wait(unused)
                await asyncio.sleep(0)
            for name in [name for name in self._ready if name not in used]:
                self._in_hand.discard(self._ready.pop(name))
            for name in [name for name in self._sizes if name not in used]:
                del self._sizes[name]
            await asyncio.to_thread(_remove_all_but, self._root, self._in_hand)


async def _copied(tree: Path, target: Path) -> int:
    """Copy a tree and return its bytes. When this is cancelled, it ends when nothing writes any more."""
    stop = threading.Event()
    return await _to_the_end(copy_tree, tree, target, stop, stop=stop)


async def _to_the_end(work: Callable[..., T], *arguments: object, stop: threading.Event | None = None) -> T:
    """Return what ``work`` returns, called in a thread. Cancelled, it sets ``stop`` and waits for the end."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if stop is not None:
            stop.set()
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):  # once is enough
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # looked at: nobody else will
        raise


def _remove_all_but(root: Path, kept: Collection[Path]) -> None:
    """``kept`` is asked after the look: what was listed may have been begun by then, not forgotten."""
    folders = list(root.iterdir()) if root.is_dir() else []
    for folder in folders:
        if folder not in kept:
            with contextlib.suppress(FileNotFoundError):  # another was quicker
                remove_tree(folder)
