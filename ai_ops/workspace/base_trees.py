"""The trees of commits, kept from run to run: what checkouts are laid over or copied from.

Nothing ever runs in them and nothing untrusted writes to them. A tree gets its name when it is whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from pathlib import Path
from uuid import uuid4
from weakref import WeakValueDictionary

from ai_ops.core.ports import Git
from ai_ops.flow.repository import Repository
from ai_ops.workspace.folders import fresh_folder, move_into_place, remove_tree

_KEPT = 8  # trees that no run uses
_MARK = ".base-"  # in the folder of a run: which trees it uses


class BaseTrees:
    """Keeps trees beneath ``root``; one manager of runs uses it at a time.

    Args:
        root: its own folder.
        git: exports commits.
        kept: how many trees stay that no run uses, those used last.
    """

    def __init__(self, root: Path, git: Git, kept: int = _KEPT) -> None:
        self._root = root
        self._git = git
        self._kept = kept
        self._turn = asyncio.Lock()  # between the look at what is used, and the removal of the rest
        # A lock is there as long as somebody holds it or waits for it.
        self._exports: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._making: set[str] = set()

    async def ensure(self, repository: Repository, sha: str, user: Path) -> Path:
        """Return the tree of a commit; it stays as long as the run folder ``user`` does.

        Raises:
            The errors of ``Git.export``.
        """
        name = f"{hashlib.sha256(repository.key.encode()).hexdigest()[:16]}-{sha}"
        tree = self._root / name
        async with self._turn:
            await asyncio.to_thread(_note_use, user, name)
            if await asyncio.to_thread(_is_whole, tree):
                return tree
        async with self._exports.setdefault(name, asyncio.Lock()):
            if not await asyncio.to_thread(_is_whole, tree):
                await self._export(repository, sha, tree)
        return tree

    async def _export(self, repository: Repository, sha: str, tree: Path) -> None:
        made = self._root / f".made-{uuid4().hex}"
        self._making.add(made.name)
        try:
            await asyncio.to_thread(fresh_folder, made)
            await self._git.export(repository, sha, made)
            await asyncio.to_thread(move_into_place, made, tree)
        finally:
            self._making.discard(made.name)  # what is left of one that broke off goes with the next ``clear``

    async def clear(self, users: Path) -> frozenset[str]:
        """Remove what is left of broken exports, and the trees beyond ``kept`` that no run uses.

        ``users`` is the folder of the runs' folders. The names of the trees that runs use are returned.
        """
        async with self._turn:
            return await asyncio.to_thread(self._clear, users)

    def _clear(self, users: Path) -> frozenset[str]:
        if not self._root.is_dir():
            return frozenset()
        used = frozenset(mark.name.removeprefix(_MARK) for mark in users.glob(f"*/{_MARK}*"))
        trees = [tree for tree in self._root.iterdir() if tree.name not in used]
        making = frozenset(self._making)  # looked at last: what was listed may be ready by now, not begun
        whole = sorted(
            (tree for tree in trees if not tree.name.startswith(".")),
            key=lambda tree: tree.stat().st_mtime,
            reverse=True,
        )
        broken = [tree for tree in trees if tree.name.startswith(".") and tree.name not in making]
        for tree in [*whole[self._kept :], *broken]:
            with contextlib.suppress(FileNotFoundError):  # it is ready by now and has its name
                remove_tree(tree.rename(self._root / f".gone-{uuid4().hex}"))
        return used


def _note_use(user: Path, name: str) -> None:
    (user / f"{_MARK}{name}").touch(mode=0o600)


def _is_whole(tree: Path) -> bool:
    try:
        os.utime(tree)  # used last
    except FileNotFoundError:
        return False
    return True
