"""The folder that a prompt task works in, and what of it survives a crash.

A repository is checked out, and what was written is kept as a patch. Without one there is an empty folder,
and its files are kept. A folder of the server is worked in as it stands, and keeps its files by itself.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from ai_ops.core.orchestrator.errand import Prepared
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.wording import counted
from ai_ops.errors import PermanentError
from ai_ops.flow.edits import FileChange
from ai_ops.flow.repository import Base, Repository

MOST_FILES: Final = 100
MOST_FILE_BYTES: Final = 1_000_000
MOST_BYTES: Final = 10_000_000
_NAME = "prompt"


class Ground(Protocol):
    """Where a task works."""

    async def open(self, made: str) -> Path:
        """Return the folder, with what ``kept`` told once in it."""
        ...

    async def kept(self, folder: Path) -> str:
        """Return what was written so far, to open the folder with it again."""
        ...

    async def put_artifacts(self, folder: Path, made: str) -> str:
        """Keep what the task left for people, and say in a few words what that was."""
        ...


def ground_of(prepared: Prepared, began: datetime) -> Ground:
    """Return where a task works; ``began`` is when its run did."""
    errand = prepared.errand
    if errand.folder:
        return _ServerFolder(errand.tools, errand.run_id, errand.folder, began)
    if errand.repository is not None and prepared.base is not None:
        return _Checkout(errand.tools, errand.run_id, errand.repository, prepared.base)
    return _Scratch(errand.tools, errand.run_id)


class _Checkout:
    """A checkout of a repository. What git ignores is not kept."""

    def __init__(self, tools: Tools, run_id: str, repository: Repository, base: Base) -> None:
        self._tools, self._run_id, self._repository, self._base = tools, run_id, repository, base

    async def open(self, made: str) -> Path:
        return await self._tools.workspaces.ensure(
            self._run_id, _NAME, self._repository, self._base.sha, made
        )

    async def kept(self, folder: Path) -> str:
        return await self._tools.git.diff(folder)

    async def put_artifacts(self, folder: Path, made: str) -> str:
        if not made.strip():
            return "nothing was changed"
        await self._tools.trace.put_artifact(self._run_id, "diff", made, "text/x-diff")
        return "the change is the artifact named diff"


class _Scratch:
    """An empty folder."""

    def __init__(self, tools: Tools, run_id: str) -> None:
        self._tools, self._run_id = tools, run_id

    async def open(self, made: str) -> Path:
        folder = await self._tools.workspaces.scratch(self._run_id, _NAME)
        files = json.loads(made) if made else {}
        changes = [FileChange(path, base64.b64decode(text)) for path, text in files.items()]
        if changes:
            await asyncio.to_thread(self._tools.edits.write, folder, changes)
        return folder

    async def kept(self, folder: Path) -> str:
        def collect() -> str:
            found = _files(self._tools, folder, self._tools.edits.tree(folder).paths)
            return json.dumps({path: base64.b64encode(data).decode() for path, data in found})

        return await asyncio.to_thread(collect)

    async def put_artifacts(self, folder: Path, made: str) -> str:
        paths = await asyncio.to_thread(lambda: self._tools.edits.tree(folder).paths)
        return await _put_files(self._tools, self._run_id, folder, paths)


class _ServerFolder:
    """A folder of the server."""

    def __init__(self, tools: Tools, run_id: str, folder: str, began: datetime) -> None:
        self._tools, self._run_id, self._folder, self._began = tools, run_id, folder, began

    async def open(self, made: str) -> Path:
        return await asyncio.to_thread(self._tools.folders.open, self._folder)

    async def kept(self, folder: Path) -> str:
        return ""

    async def put_artifacts(self, folder: Path, made: str) -> str:
        paths = await asyncio.to_thread(self._tools.folders.changed, folder, self._began)
        return await _put_files(self._tools, self._run_id, folder, paths)


def _files(tools: Tools, folder: Path, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield files within the limits, read without following links; what cannot be read is left out."""
    left = MOST_BYTES
    for path in paths[:MOST_FILES]:
        data = None
        with contextlib.suppress(PermanentError):
            data = tools.edits.read(folder, path)
        if data is not None and len(data) <= min(MOST_FILE_BYTES, left):
            left -= len(data)
            yield path, data


async def _put_files(tools: Tools, run_id: str, folder: Path, paths: Sequence[str]) -> str:
    """Keep each file of text as ``file-<n>``, and ``files``, which says what there was."""
    if not paths:
        return "no files were left"
    found = dict(await asyncio.to_thread(lambda: list(_files(tools, folder, paths))))
    lines, number = [], 0
    for path in paths[:MOST_FILES]:
        text = _text(found.get(path))
        if text is None:
            why = "too large" if path not in found else "not text"
            lines.append(f"{path}: not kept, {why}")
            continue
        number += 1
        await tools.trace.put_artifact(run_id, f"file-{number}", text)
        lines.append(f"{path}: {counted(len(found[path]), 'byte')}, file-{number}")
    if len(paths) > MOST_FILES:
        lines.append(f"and {counted(len(paths) - MOST_FILES, 'more file')}, not kept")
    await tools.trace.put_artifact(run_id, "files", "\n".join(lines) + "\n")
    return f"{counted(len(paths), 'file')} of its folder, listed by the artifact named files"


def _text(data: bytes | None) -> str | None:
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
