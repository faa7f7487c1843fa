"""The folders of runs: ``<root>/<run id>/<name>``, made fresh, removed whole."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from uuid import uuid4

from ai_ops.core.ports import Git
from ai_ops.errors import PermanentError
from ai_ops.flow.repository import Repository
from ai_ops.workspace.folders import copy_tree, fresh_folder, move_into_place, remove_tree

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_MARK = ".ai-ops-run"  # only folders that carry it are swept, should the root be a wrong folder


class WorkspaceManager:
    """Keeps the folders of runs beneath ``root``; checkouts come from the ``Git`` port."""

    def __init__(self, root: Path, git: Git) -> None:
        """Nothing is created before it is asked for."""
        self._root = root.absolute()
        self._git = git

    async def ensure(self, run_id: str, name: str, repository: Repository, sha: str, patch: str = "") -> Path:
        """Return a fresh checkout at ``sha`` with ``patch`` applied; what was there before is gone.

        Raises:
            PermanentError: ``workspace_name_invalid``, and the codes of the ``Git`` port.
        """
        pristine = await self._pristine(run_id, repository, sha)
        target = await self.scratch(run_id, name)
        await asyncio.to_thread(copy_tree, pristine, target)
        if patch:
            await self._git.apply(target, patch)
        return target

    async def _pristine(self, run_id: str, repository: Repository, sha: str) -> Path:
        """Return the run's own copy of a commit. Nothing ever runs in it; checkouts are copied from it.

        A copy is several times faster than an export, needs no turn at the mirror, and cannot fail
        because the remote moved. It gets its name when it is whole.
        """
        _check(sha)
        pristine = self._run_folder(run_id) / f"pristine-{sha}"
        if not await asyncio.to_thread(pristine.is_dir):
            made = await self.scratch(run_id, f"pristine-{uuid4().hex}")
            await self._git.export(repository, sha, made)
            await asyncio.to_thread(move_into_place, made, pristine)
        return pristine

    async def scratch(self, run_id: str, name: str) -> Path:
        """Return an empty folder of the run, readable by this user alone.

        Raises:
            PermanentError: ``workspace_name_invalid``.
        """
        run = self._run_folder(run_id)
        _check(name)
        await asyncio.to_thread(_mark, self._root, run)
        return await asyncio.to_thread(fresh_folder, run / name)

    async def discard(self, run_id: str) -> None:
        """Remove everything of a run; harmless when there is nothing.

        Raises:
            PermanentError: ``workspace_name_invalid``.
        """
        await asyncio.to_thread(remove_tree, self._run_folder(run_id))

    async def sweep(self, live: set[str]) -> tuple[str, ...]:
        """Remove the folders of runs that are not in ``live``, left by a crash; return their ids."""
        return await asyncio.to_thread(self._sweep, frozenset(live))

    def _sweep(self, live: frozenset[str]) -> tuple[str, ...]:
        if not self._root.is_dir():
            return ()
        dead = [
            folder
            for folder in sorted(self._root.iterdir())
            if folder.name not in live and not folder.is_symlink() and (folder / _MARK).is_file()
        ]
        for folder in dead:
            remove_tree(folder)
        return tuple(folder.name for folder in dead)

    def _run_folder(self, run_id: str) -> Path:
        _check(run_id)
        return self._root / run_id


def _check(name: str) -> None:
    if not _NAME.match(name):
        raise PermanentError("workspace_name_invalid", f"{name[:80]!r} cannot name a folder")


def _mark(root: Path, run: Path) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    run.mkdir(mode=0o700, exist_ok=True)
    (run / _MARK).touch(mode=0o600)
