"""The sandbox: where a repository's own code and the model's tools run.

``BubblewrapSandbox`` isolates. ``OffSandbox`` does not; it is there for people who wrote ``SANDBOX=off``
and is never chosen by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_ops import process
from ai_ops.core.failures import failed
from ai_ops.core.ports import Bind, SandboxResult, SandboxSpec
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.report import RunEnd
from ai_ops.workspace.confinement import describe
from ai_ops.workspace.gate import Gate
from ai_ops.workspace.profile import SandboxLimits, bubblewrap_argv, check_binds
from ai_ops.workspace.quota import Quota, writable_folders
from ai_ops.workspace.supervising import supervise
from ai_ops.workspace.watcher import private_places, watch

_INSTALL = (
    "apt-get install bubblewrap (0.8 or newer), and allow unprivileged user namespaces "
    "(kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)."
)
_SELF_TEST = (
    'test "$(id -u)" = 1000 && test ! -e /etc/shadow && test ! -w /proc/sys/kernel/core_pattern '
    '&& test -w /tmp && test -w "$HOME" && grep -c : /proc/net/dev'
)


@dataclass(frozen=True, slots=True)
class _Confined:
    """A command in bubblewrap, which waits at its gate."""

    argv: list[str]
    gate: Gate
    quota: Quota
    spec: SandboxSpec
    limits: SandboxLimits

    @property
    def pass_fds(self) -> tuple[int, ...]:
        return (self.gate.status_fd, *self.gate.gate_fds)

    async def watch(self, pid: int, begun: Callable[[], None] = lambda: None) -> RunEnd:
        inside = await self.gate.release()
        begun()
        return await watch(pid, self.limits, self.quota, private_places(inside, self.spec.binds))

    async def stood(self, exit_code: int) -> bool:
        return exit_code != 1 or self.gate.command_ended()

    def kill(self) -> None:
        self.gate.kill()


class BubblewrapSandbox:
    """Runs commands in bubblewrap: own user, process, mount and network namespaces, and limits."""

    def __init__(
        self, limits: SandboxLimits | None = None, *, program: str = "bwrap", owner: Path | None = None
    ) -> None:
        """Use ``program`` from the search path. Nothing is started or checked yet; see ``probe``.

        ``owner`` is a folder that is this server's alone, by which ``orphans`` knows what it left behind.
        """
        self._owner = owner
        self._limits = limits or SandboxLimits()
        self._program = program
        self._prlimit = shutil.which("prlimit", path="/usr/bin:/bin")

    async def probe(self) -> str:
        """Run a command inside and describe the sandbox, or raise ``sandbox_unavailable``."""
        spec = SandboxSpec(("/bin/sh", "-c", _SELF_TEST), (), cwd="/", wall_seconds=30)
        try:
            result = await self.run(spec)
        except PermanentError as error:
            raise _unavailable(error.message) from error
        if result.exit_code != 0 or result.output.strip() != "1":
            raise _unavailable(f"its self-test failed: {result.output.strip()[-300:] or result.end}")
        version = await process.run(
            [self._program, "--version"], env=process.clean_environment(), limits=process.Limits(10)
        )
        return f"{version.text.strip()}, no network, {describe()}"

    @contextlib.asynccontextmanager
    async def prepare(self, spec: SandboxSpec) -> AsyncGenerator[_Confined]:
        """Prepare a command for a child that the caller starts; leaving kills what is left of it.

        Raises:
            PermanentError: ``sandbox_refused`` (the spec cannot be kept apart).
        """
        with Gate(self._limits) as gate:
            argv = bubblewrap_argv(
                spec,
                self._limits,
                bwrap=self._program,
                owner=self._owner,
                prlimit=self._prlimit,
                status_fd=gate.status_fd,
                gate_fds=gate.gate_fds,
            )
            quota = Quota(writable_folders(spec.binds), self._limits)
            yield _Confined(argv, gate, quota, spec, self._limits)

    async def run(self, spec: SandboxSpec) -> SandboxResult:
        """Run a command to its end or its limits; no process of it survives.

        Raises:
            PermanentError: ``sandbox_unavailable`` (no bubblewrap, or the kernel refuses),
                ``sandbox_refused`` (the spec cannot be kept apart).
        """
        async with self.prepare(spec) as confined:
            try:
                result = await supervise(confined, spec, self._limits, process.clean_environment())
            except FileNotFoundError as error:
                if error.filename != self._program:  # another file is missing
                    raise
                raise _unavailable(f"{self._program} is not installed") from None
            if result.exit_code is not None and not await confined.stood(result.exit_code):
                raise _unavailable(f"it could not set up the sandbox: {result.output.strip()[-500:]}")
        return result


@dataclass(frozen=True, slots=True)
class _Watched:
    """A command without isolation."""

    argv: list[str]
    quota: Quota
    limits: SandboxLimits
    pass_fds: tuple[int, ...] = ()

    async def watch(self, pid: int, begun: Callable[[], None] = lambda: None) -> RunEnd:
        begun()
        return await watch(pid, self.limits, self.quota)

    async def stood(self, exit_code: int) -> bool:
        return True

    def kill(self) -> None:
        """Do nothing: what is there is in the child's group."""


class OffSandbox:
    """Runs commands as plain children: a clean environment and limits, but no isolation whatever."""

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        """Watch the same limits as the real sandbox does."""
        self._limits = limits or SandboxLimits()

    async def probe(self) -> str:
        """Say that there is none."""
        return "off: commands of repositories run on this host without isolation"

    @contextlib.asynccontextmanager
    async def prepare(self, spec: SandboxSpec) -> AsyncGenerator[_Watched]:
        """Prepare a command that clears the environment, goes to the folder, and runs."""
        check_binds(spec.binds)
        async with _temporary_folder() as home:
            quota = Quota([*writable_folders(spec.binds), home], self._limits)
            yield _Watched(_outside(spec, str(home)), quota, self._limits)

    async def run(self, spec: SandboxSpec) -> SandboxResult:
        """Run a command to its end or its limits. A process that leaves the group may survive.

        A program that does not exist is exit code 127, as a shell says it.
        """
        async with self.prepare(spec) as watched:
            return await supervise(watched, spec, self._limits, process.clean_environment())


@contextlib.asynccontextmanager
async def _temporary_folder() -> AsyncIterator[Path]:
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="ai-ops-home-")
    try:
        yield Path(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _outside(spec: SandboxSpec, home: str) -> list[str]:
    """Return an argv in which each mount point is replaced by the folder behind it."""
    translate = _translation(spec.binds)
    env = process.clean_environment(
        {name: translate(value) for name, value in {"HOME": home, **spec.env}.items()}
    )
    words = [f"{name}={value}" for name, value in env.items()]
    enter = 'cd "$1" && shift && exec "$@"'
    return ["env", "-i", *words, "sh", "-c", enter, "sh", translate(spec.cwd), *map(translate, spec.argv)]


def _translation(binds: Sequence[Bind]) -> Callable[[str], str]:
    """Return what replaces mount points, as whole leading parts of a path, in a text."""
    sources = {bind.target: str(bind.source) for bind in binds}
    if not sources:
        return lambda text: text
    longest_first = sorted(sources, key=len, reverse=True)
    pattern = re.compile(
        r"(?<![\w./-])(" + "|".join(re.escape(target) for target in longest_first) + r")(?![\w.-])"
    )
    return lambda text: pattern.sub(lambda found: sources[found[1]], text)


def _unavailable(why: str) -> AiOpsError:
    return failed("sandbox_unavailable", f"bubblewrap: {why}", next_step=_INSTALL)
