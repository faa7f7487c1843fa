"""A checkout of a repository of 13,500 files beside ``cp -r`` and a full clone, in the same run."""

import asyncio
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from ai_ops.flow.repository import Repository
from ai_ops.vcs.git import GitClient
from ai_ops.workspace.mounts import enter_private_mounts
from ai_ops.workspace.workspace_manager import WorkspaceManager
from tests.bench.figures import Figure
from tests.support.local_server import git

_FILES = 13_500
_BYTES = 7_400
_FOLDERS = 450
_TIMES = 5
_AT_ONCE = 8


def workspaces():
    """Yield the seconds of each way to a checkout, and their ratios to a copy and to a clone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mounts = enter_private_mounts(folder / "overlays")
        remote = large_remote(folder)
        clone = _median(lambda n: git("clone", "-q", str(remote), str(folder / f"clone-{n}")), range(2))
        tree = folder / "clone-0"
        yield Figure("full clone", clone, "s")
        for way, overlays, goal in (("overlay", True, 0.01), ("copy", False, 0.5)):
            if overlays and not mounts:
                continue
            copy, first, known, unready, at_once = asyncio.run(_ensured(folder / way, remote, overlays, tree))
            yield Figure(f"cp -r of the checkout, beside workspaces by {way}", copy, "s")
            yield Figure(f"workspace by {way}: first of its commit", first, "s")
            yield Figure(f"workspace by {way}: commit known (median)", known, "s")
            yield Figure(f"workspace by {way}: commit known, without a pause before it", unready, "s")
            yield Figure(f"workspace by {way}: each of {_AT_ONCE} at once", at_once, "s")
            yield Figure(f"workspace by {way} / cp -r", known / copy, "×", goal)
            # Two cores cannot make files in half the time that one takes, but never in more.
            yield Figure(f"workspace by {way}, without a pause before it / cp -r", unready / copy, "×", 1.0)
            yield Figure(f"workspace by {way} / full clone", known / clone, "×")


def large_remote(folder, files=None):
    """Make a bare repository of many files, with ``files`` beside them, and return its path."""
    work = folder / "large"
    chance = random.Random(7)
    words = [f"word{n:04x}" for n in range(5000)]
    for number in range(_FILES):
        path = work / f"pkg_{number % _FOLDERS:03d}" / f"module_{number:05d}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        text, size = [], 0
        while size < _BYTES:
            line = f"{chance.choice(words)} = {chance.choice(words)!r}  # {chance.random()}\n"
            text.append(line)
            size += len(line)
        path.write_text("".join(text))
    for name, content in (files or {}).items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(content)
    git("init", "-q", "-b", "main", cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "A large repository", cwd=work)
    remote = folder / "remotes" / "large.git"
    remote.parent.mkdir(exist_ok=True)
    git("clone", "-q", "--bare", str(work), str(remote))
    shutil.rmtree(work)
    return remote


async def _ensured(folder, remote, overlays, tree):
    """Copies and workspaces take turns: a file system that has just freed many files is slow for a while.

    Between two checkouts a run thinks or tests for longer than the next one takes to be laid, so what is
    made ready meanwhile is waited for; the checkouts without a pause are those of a run that does neither.
    """
    client = GitClient(folder / "mirrors", lambda _: None, allow_file=True)
    manager = WorkspaceManager(folder / "workspaces", client, overlays=overlays)
    repository = Repository("local/large", str(remote), "local")
    sha = (await client.refresh(repository)).sha
    times, copies = [], []
    for number in range(_TIMES + 1):
        copies.append(
            _median(lambda n: subprocess.run(["cp", "-r", tree, folder / f"copy-{n}"], check=True), [number])
        )
        began = time.perf_counter()
        await manager.ensure("run", f"checkout-{number}", repository, sha)
        times.append(time.perf_counter() - began)
        await manager.at_rest()
    unready = []
    for number in range(_TIMES):
        began = time.perf_counter()
        await manager.ensure("run", f"hurried-{number}", repository, sha)
        unready.append(time.perf_counter() - began)
    await manager.at_rest()
    began = time.perf_counter()
    await asyncio.gather(*(manager.ensure(f"run-{n}", "a", repository, sha) for n in range(_AT_ONCE)))
    at_once = (time.perf_counter() - began) / _AT_ONCE
    for run in ("run", *(f"run-{n}" for n in range(_AT_ONCE))):
        await manager.discard(run)
    known = statistics.median(times[1:])
    return statistics.median(copies[1:]), times[0], known, statistics.median(unready[1:]), at_once


def _median(work, numbers):
    taken = []
    for number in numbers:
        began = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
