"""How a child begins: it dies with its parent and has kernel limits, and the parent is not copied for it.

Code of ours between fork and exec (``preexec_fn``) makes Python copy its own page tables for each child:
tens of milliseconds in a server of some hundred megabytes, and the same again in page faults. So
util-linux's ``setpriv`` and ``prlimit`` do it after exec, each in under a millisecond. Where they are
missing, it is done between fork and exec after all.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_OPTIONS = {
    resource.RLIMIT_CORE: "core",
    resource.RLIMIT_FSIZE: "fsize",
    resource.RLIMIT_CPU: "cpu",
    resource.RLIMIT_NPROC: "nproc",
}


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and what the child does between fork and exec, if anything."""

    argv: tuple[str, ...]
    prepare: Callable[[], None] | None = None


def launch(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path | None, limits: Mapping[int, int | None]
) -> Launch:
    """Return how to start a command. ``limits`` are kernel limits (``RLIMIT_…``); None is no limit.

    Raises:
        FileNotFoundError: the program does not exist.
    """
    wanted = {kind: _within(kind, value) for kind, value in limits.items() if value is not None}
    tools = _tools()
    if tools is None:
        return Launch(tuple(argv), _prepare(wanted))
    _require(argv[0], env, cwd)
    setpriv, prlimit = tools
    given = [f"--{_OPTIONS[kind]}={value}" for kind, value in wanted.items()]
    return Launch((setpriv, "--pdeathsig", "KILL", "--", prlimit, *given, "--", *argv))


def _within(kind: int, value: int) -> int:
    """Return a limit as it may be set: nobody may have more than their own."""
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _tools() -> tuple[str, str] | None:
    """Return where setpriv and prlimit are; BusyBox's know less."""
    found = [shutil.which(name, path="/usr/bin:/bin") for name in ("setpriv", "prlimit")]
    if sys.platform != "linux" or any(tool is None or "busybox" in os.path.realpath(tool) for tool in found):
        return None
    return str(found[0]), str(found[1])


def _require(program: str, env: Mapping[str, str], cwd: Path | None) -> None:
    """Say here that a program does not exist; a launcher could only say it on its child's stderr."""
    where = str((cwd or Path()) / program) if "/" in program else program
    if shutil.which(where, path=env.get("PATH", os.defpath)) is None:
        raise FileNotFoundError(2, os.strerror(2), program)


def _prepare(wanted: Mapping[int, int]) -> Callable[[], None]:
    """Return what the child does between fork and exec where there is no launcher."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    parent = os.getpid()

    def prepare() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # the parent died before the request was in place
                os._exit(1)
        for kind, value in wanted.items():
            resource.setrlimit(kind, (value, value))

    return prepare
