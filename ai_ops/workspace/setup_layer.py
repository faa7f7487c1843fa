"""The set-up layer: what a repository's ``setup`` command installs, made once and then only read.

The command runs on the base commit, before any edit of a model, in a sandbox of its own. What it leaves
in ``$AI_OPS_SETUP_DIR`` is kept under a hash of all that decides it, and mounted read-only in test runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ai_ops.core import runners
from ai_ops.core.failures import failed
from ai_ops.core.ports import Bind, Sandbox, SandboxResult, SandboxSpec
from ai_ops.core.project import TestPlan
from ai_ops.core.runners.model import SETUP_FOLDER
from ai_ops.errors import AiOpsError
from ai_ops.flow.report import RunEnd
from ai_ops.flow.repository import Repository
from ai_ops.workspace.folders import (
    finish_removal,
    fresh_folder,
    left_behind,
    read_regular,
    settle,
    sync_names,
    take_away,
)
from ai_ops.workspace.toolbox import MOUNT as TOOLBOX_MOUNT
from ai_ops.workspace.toolbox import SITE_PACKAGES, Toolbox
from ai_ops.workspace.toolchains import FindToolchain, Toolchain, find_toolchain, tool_environment

SETUP_MOUNT = SETUP_FOLDER

_LAYOUT = "2"
_MAX_LOCK_FILE = 20_000_000
_TAIL = 3000
# A virtual environment without pytest finds the toolbox's, after everything of its own. What a package
# manager of Node installed beside the code is kept, and stands there again when tests run.
_FINISH = """\
if [ -d "$1" ] && [ ! -e "$1/pytest" ]; then printf "%s\\n" "$2" > "$1/ai_ops_toolbox.pth" || exit; fi
if [ -d node_modules ] && [ ! -L node_modules ] && [ ! -e "$3/node_modules" ]; then mv node_modules "$3/"; fi
"""


def setup_environment(
    toolbox: Toolbox, *, ready: bool, tools: Sequence[str] = (), folders: Sequence[str] = ()
) -> dict[str, str]:
    """Return PATH, where the layer is when there is one, and where the tools look.

    Args:
        toolbox: has pytest.
        ready: whether there is a layer.
        tools: the programs that a repository's runner needs.
        folders: where those of the host are, outside of the system's own folders.
    """
    before = [f"{SETUP_MOUNT}/bin", f"{SETUP_MOUNT}/venv/bin"] if ready else []
    if "node" in tools:
        before.append("/workspace/node_modules/.bin")
    words = {"PATH": toolbox.path(*before, *folders), **tool_environment(tools, ready=ready)}
    return {**words, "AI_OPS_SETUP_DIR": SETUP_MOUNT} if ready else words


def layer_key(
    repository: Repository, command: str, locks: Sequence[tuple[str, str]], interpreter: str
) -> str:
    """Return the name of a layer.

    The repository is part of it: its code runs in ``setup`` and could spoil what another one uses.

    Args:
        repository: whose set-up it is.
        command: the ``setup`` command.
        locks: (path, SHA-256 of the contents) of the lock files.
        interpreter: the toolbox's key, and that of the host's tools.
    """
    words = [_LAYOUT, repository.key, command, sorted(locks), interpreter]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]


class SetupBuilder:
    """Makes and keeps set-up layers beneath ``data_dir``."""

    def __init__(
        self,
        sandbox: Sandbox,
        toolbox: Toolbox,
        data_dir: Path,
        *,
        network: bool = False,
        wall_seconds: float = 1800.0,
        find: FindToolchain = find_toolchain,
    ) -> None:
        """``network`` is ``SETUP_NETWORK``: whether set-up commands may reach anything at all.

        ``find`` looks their programs up.
        """
        self._sandbox = sandbox
        self._toolbox = toolbox
        self._shelf = data_dir.absolute() / "setup"
        self._network = network
        self._wall_seconds = wall_seconds
        self._find = find
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ensure(self, repository: Repository, plan: TestPlan, checkout: Path) -> Path | None:
        """Return the folder that ``setup`` made, cached; None when there is no setup command.

        Args:
            repository: whose set-up it is.
            plan: has the command and names the lock files.
            checkout: a checkout of the base commit, which the command may change.

        Raises:
            PermanentError: ``setup_failed`` with the end of its output; ``sandbox_unavailable``.
        """
        if plan.setup is None:
            return None
        locks = await asyncio.to_thread(_lock_hashes, checkout, plan.lock_files)
        tools = runners.named(plan.kind).TOOLS
        toolchain = await asyncio.to_thread(self._find, tools)
        key = layer_key(repository, plan.setup, locks, self._toolbox.key + toolchain.key)
        layer, complete = self._shelf / key / "layer", self._shelf / key / "complete"
        async with self._busy[key]:
            if not await asyncio.to_thread(complete.is_file):
                # Built where it stays: programs in it know their own path. The mark outside comes last.
                await asyncio.to_thread(fresh_folder, self._shelf / key)
                await asyncio.to_thread(fresh_folder, layer)
                try:
                    await self._build(plan.setup, checkout, layer, tools, toolchain)
                except BaseException:
                    await asyncio.to_thread(take_away, self._shelf / key)
                    raise
                await asyncio.to_thread(_finish, layer, complete)
            await asyncio.to_thread(os.utime, complete)  # used last
        return layer

    async def forget_unused(self, before: float) -> int:
        """Remove the layers that nobody asked for since ``before``, in seconds since 1970; return how many.

        Tests may still run in one that was asked for; so ``before`` lies further back than tests may take.
        """
        removed = 0
        for gone in await asyncio.to_thread(left_behind, self._shelf, before):
            await asyncio.to_thread(finish_removal, gone)
        for shelf in await asyncio.to_thread(lambda: sorted(self._shelf.glob("*/complete"))):
            async with self._busy[shelf.parent.name]:
                removed += await asyncio.to_thread(_remove_unused, shelf, before)
        return removed

    async def _build(
        self, command: str, checkout: Path, layer: Path, tools: Sequence[str], toolchain: Toolchain
    ) -> None:
        (layer / "home").mkdir(mode=0o700)
        environment = setup_environment(self._toolbox, ready=True, tools=tools, folders=toolchain.folders)

        async def run(*argv: str) -> SandboxResult:
            return await self._sandbox.run(
                SandboxSpec(
                    argv=argv,
                    binds=(
                        *self._toolbox.binds,
                        *toolchain.binds,
                        Bind(checkout, "/workspace", writable=True),
                        Bind(layer, SETUP_MOUNT, writable=True),
                    ),
                    env={**environment, "HOME": f"{SETUP_MOUNT}/home"},
                    network=self._network,
                    wall_seconds=self._wall_seconds,
                )
            )

        result = await run("sh", "-c", command)
        if result.end is RunEnd.EXITED and result.exit_code == 0:
            packages = f"{SETUP_MOUNT}/venv/{SITE_PACKAGES}"
            toolbox = f"{TOOLBOX_MOUNT}/{SITE_PACKAGES}"
            result = await run("sh", "-c", _FINISH, "sh", packages, toolbox, SETUP_MOUNT)
        if result.end is not RunEnd.EXITED or result.exit_code != 0:
            raise self._failure(result)

    def _failure(self, result: SandboxResult) -> AiOpsError:
        how = f"exit code {result.exit_code}" if result.end is RunEnd.EXITED else str(result.end)
        advice = "" if self._network else " If it needs the network, set SETUP_NETWORK=on."
        return failed(
            "setup_failed",
            f"the setup command ended with {how}:\n{result.output[-_TAIL:].strip()}",
            next_step=f"Correct `setup` in .ai-ops.yml.{advice}",
        )


def _remove_unused(complete: Path, before: float) -> bool:
    """Remove a layer unless it was used since; its mark goes first, so no half of one is ever used."""
    try:
        if complete.stat().st_mtime >= before:
            return False
    except FileNotFoundError:
        return False
    complete.unlink()
    take_away(complete.parent)
    return True


def _finish(layer: Path, complete: Path) -> None:
    """Mark a layer as whole once it is on the disk: a power cut leaves no mark on half of one."""
    settle(layer)
    complete.touch()
    sync_names(complete.parent)


def _lock_hashes(checkout: Path, paths: Sequence[str]) -> list[tuple[str, str]]:
    """Return (path, hash) of each lock file that is a regular file and is reached without a link."""
    found = []
    for path in paths:
        parents = Path(path).parents
        if ".." in Path(path).parts or any((checkout / parent).is_symlink() for parent in parents):
            continue
        data = read_regular(checkout / path, _MAX_LOCK_FILE)
        if data is not None:
            found.append((path, hashlib.sha256(data).hexdigest()))
    return found
