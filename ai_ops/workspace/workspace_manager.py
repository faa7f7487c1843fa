"""The folders of runs: ``<root>/<run id>/<name>``, made fresh, removed whole."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.core.ports import Git
from ai_ops.flow.repository import Repository
from ai_ops.workspace.base_trees import BaseTrees
from ai_ops.workspace.folders import finish_removal, fresh_folder, left_behind, take_away
from ai_ops.workspace.mounts import mount_overlay, unmount
from ai_ops.workspace.spare_copies import SpareCopies

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_MARK = ".ai-ops-run"  # only folders that carry it are swept, should the root be a wrong folder


class WorkspaceManager:
    """Keeps the folders of runs beneath ``root``; checkouts come from the ``Git`` port.

    Args:
        root: of the folders; nothing is created before it is asked for.
        git: makes the trees.
        overlays: whether this process may mount: a checkout is then there in milliseconds, whatever the
            tree's size. Otherwise it is a copy.
        floor_bytes: how much of the disk stays free beside what is only made in advance.
    """

    def __init__(
        self, root: Path, git: Git, *, overlays: bool = False, floor_bytes: int = 5 * 1000**3
    ) -> None:
        self._root = root.absolute()
        self._git = git
        self._trees = BaseTrees(self._root / ".trees", git)
        self._copies = SpareCopies(self._root / ".copies", floor_bytes)
        self._overlays = overlays

    async def ensure(self, run_id: str, name: str, repository: Repository, sha: str, patch: str = "") -> Path:
        """Return a fresh checkout at ``sha`` with ``patch`` applied; what was there before is gone.

        Raises:
            PermanentError: ``workspace_name_invalid``, and the codes of the ``Git`` port.
            TemporaryError: ``mount_failed``.
        """
        _check(sha)
        target = await self.scratch(run_id, name)
        tree = await self._trees.ensure(repository, sha, self._run_folder(run_id))
        if self._overlays:
            layer = await self.scratch(run_id, f"{name}.layer")
            await asyncio.to_thread(_lay_over, tree, layer, target)
            await self._git.note_overlay(tree, target)
        else:
            await self._copies.lay(tree, target)
        if patch:
            await self._git.apply(target, patch)
        return target

    async def scratch(self, run_id: str, name: str) -> Path:
        """Return an empty folder of the run, readable by this user alone.

        Raises:
            PermanentError: ``workspace_name_invalid``.
        """
        run = self._run_folder(run_id)
        _check(name)
        await asyncio.to_thread(_mark, self._root, run)
        return await asyncio.to_thread(_fresh, run / name)

    async def discard(self, run_id: str) -> None:
        """Remove everything of a run; harmless when there is nothing.

        Raises:
            PermanentError: ``workspace_name_invalid``.
        """
        await asyncio.to_thread(_remove_run, self._run_folder(run_id))
        await self._clear()

    async def sweep(self, live: set[str], before: float | None = None) -> tuple[str, ...]:
        """Remove the folders of runs that are not in ``live``, left by a crash; return their ids.

        With ``before``, in seconds since 1970, those that were used since stay: their run may be new.
        """
        swept = await asyncio.to_thread(self._sweep, frozenset(live), before)
        await self._clear()
        return swept

    async def at_rest(self) -> None:
        """Return when nothing is being made ready for the next checkout."""
        await self._copies.at_rest()

    async def _clear(self) -> None:
        await self._copies.clear(await self._trees.clear(self._root))

    def _sweep(self, live: frozenset[str], before: float | None) -> tuple[str, ...]:
        if not self._root.is_dir():
            return ()
        dead = [
            folder
            for folder in sorted(self._root.iterdir())
            if folder.name not in live
            and _NAME.match(folder.name)  # what is being removed has another
            and not folder.is_symlink()
            and (folder / _MARK).is_file()
            and (before is None or (folder / _MARK).stat().st_mtime < before)
        ]
        for folder in dead:
            _remove_run(folder)
        for gone in left_behind(self._root, before):
            finish_removal(gone, _unmount_all)
        return tuple(folder.name for folder in dead)

    def _run_folder(self, run_id: str) -> Path:
        _check(run_id)
        return self._root / run_id


def _check(name: str) -> None:
    if not _NAME.match(name):
        raise failed("workspace_name_invalid", f"{name[:80]!r} cannot name a folder")


def _mark(root: Path, run: Path) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    run.mkdir(mode=0o700, exist_ok=True)
    (run / _MARK).touch(mode=0o600)


def _fresh(folder: Path) -> Path:
    unmount(folder)
    return fresh_folder(folder)


def _lay_over(tree: Path, layer: Path, target: Path) -> None:
    upper, work = layer / "upper", layer / "work"
    upper.mkdir(mode=0o700)
    work.mkdir(mode=0o700)
    mount_overlay(tree, upper, work, target)


def _remove_run(folder: Path) -> None:
    """Remove a run's folder. A run that is cut off here may begin again before this is over."""
    take_away(folder, _unmount_all)


def _unmount_all(folder: Path) -> None:
    if folder.is_dir():
        for checkout in folder.iterdir():
            unmount(checkout)
