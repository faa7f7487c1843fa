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
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from ai_ops import process
from ai_ops.core.ports import Bind, Sandbox, SandboxResult, SandboxSpec
from ai_ops.errors import PermanentError
from ai_ops.flow.report import RunEnd
from ai_ops.workspace.confinement import describe
from ai_ops.workspace.gate import Gate, once_begun
from ai_ops.workspace.profile import SandboxLimits, bubblewrap_argv, check_binds
from ai_ops.workspace.watcher import watch

_INSTALL = (
    "apt-get install bubblewrap (0.8 or newer), and allow unprivileged user namespaces "
    "(kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)."
)
_SELF_TEST = (
    'test "$(id -u)" = 1000 && test ! -e /etc/shadow && test ! -w /proc/sys/kernel/core_pattern '
    '&& test -w /tmp && test -w "$HOME" && grep -c : /proc/net/dev'
)


class BubblewrapSandbox:
    """Runs commands in bubblewrap: own user, process, mount and network namespaces, and limits."""

    def __init__(self, limits: SandboxLimits | None = None, *, program: str = "bwrap") -> None:
        """Use ``program`` from the search path. Nothing is started or checked yet; see ``probe``."""
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

    def wrap(self, spec: SandboxSpec) -> list[str]:
        """Return the full argv that runs the command inside; time and memory are the caller's to watch."""
        return bubblewrap_argv(spec, self._limits, bwrap=self._program, prlimit=self._prlimit)

    async def run(self, spec: SandboxSpec) -> SandboxResult:
        """Run a command to its end or its limits; no process of it survives.

        Raises:
            PermanentError: ``sandbox_unavailable`` (no bubblewrap, or the kernel refuses),
                ``sandbox_refused`` (the spec cannot be kept apart).
        """
        with Gate(self._limits) as gate:
            argv = bubblewrap_argv(
                spec,
                self._limits,
                bwrap=self._program,
                prlimit=self._prlimit,
                status_fd=gate.status_fd,
                gate_fds=gate.gate_fds,
            )
            try:
                env = process.clean_environment()
                result = await _watched(argv, spec, self._limits, env, gate=gate)
            except FileNotFoundError:
                raise _unavailable(f"{self._program} is not installed") from None
            began = gate.command_ended()
        if result.end is RunEnd.EXITED and result.exit_code == 1 and not began:
            raise _unavailable(f"it could not set up the sandbox: {result.output.strip()[-500:]}")
        return result


class OffSandbox:
    """Runs commands as plain children: a clean environment and limits, but no isolation whatever."""

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        """Watch the same limits as the real sandbox does."""
        self._limits = limits or SandboxLimits()

    async def probe(self) -> str:
        """Say that there is none."""
        return "off: commands of repositories run on this host without isolation"

    def wrap(self, spec: SandboxSpec) -> list[str]:
        """Return an argv that clears the environment, goes to the folder, and runs the command."""
        argv, cwd, env = _outside(spec, tempfile.gettempdir())
        words = [f"{name}={value}" for name, value in env.items()]
        return ["env", "-i", *words, "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(cwd), *argv]

    async def run(self, spec: SandboxSpec) -> SandboxResult:
        """Run a command to its end or its limits. A process that leaves the group may survive.

        A program that does not exist is exit code 127, as a shell would say it.
        """
        check_binds(spec.binds)
        async with _temporary_folder() as home:
            argv, cwd, env = _outside(spec, str(home))
            try:
                return await _watched(argv, spec, self._limits, env, cwd=cwd)
            except FileNotFoundError as error:
                return SandboxResult(RunEnd.EXITED, 127, str(error), 0.0)


def choose(setting: str, limits: SandboxLimits | None = None) -> Sandbox:
    """Return the sandbox that ``SANDBOX`` names. ``auto`` isolates or, at the first run, refuses.

    Raises:
        PermanentError: ``config_invalid``.
    """
    if setting in ("bwrap", "auto"):
        return BubblewrapSandbox(limits)
    if setting == "off":
        return OffSandbox(limits)
    raise PermanentError("config_invalid", f"SANDBOX={setting!r}", next_step="Use bwrap, auto or off.")


async def _watched(
    argv: Sequence[str],
    spec: SandboxSpec,
    limits: SandboxLimits,
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    gate: Gate | None = None,
) -> SandboxResult:
    """Run ``argv`` under all limits and say which one ended it."""
    folders = [bind.source for bind in spec.binds if bind.writable]
    guards: list[asyncio.Task[RunEnd]] = []

    began = asyncio.Event()

    async def guard(pid: int) -> RunEnd:
        if gate:
            await gate.release()
        return await watch(pid, limits, folders)

    def started(pid: int) -> None:
        began.set()
        task = asyncio.create_task(guard(pid))
        # Killing bubblewrap ends its process namespace, and with it everything inside. A guard that
        # failed by itself must not leave the command unguarded.
        task.add_done_callback(lambda done: None if done.cancelled() else process.kill_group(pid))
        guards.append(task)

    try:
        done = await once_begun(
            began,
            process.run(
                argv,
                env=env,
                cwd=cwd,
                limits=process.Limits(
                    wall_seconds=spec.wall_seconds,
                    idle_seconds=spec.idle_seconds,
                    output_bytes=spec.output_limit,
                    file_bytes=limits.file_bytes,
                    cpu_seconds=limits.cpu_seconds,
                ),
                pass_fds=(gate.status_fd, *gate.gate_fds) if gate else (),
                merge_stderr=True,
                on_start=started,
            ),
            gate,
        )
        passed = [task.result() for task in guards if task.done()]
    finally:
        for task in guards:
            task.cancel()
        await asyncio.gather(*guards, return_exceptions=True)
    end = passed[0] if passed else RunEnd(done.end.value)
    return SandboxResult(
        end, done.exit_code if end is RunEnd.EXITED else None, done.text, done.duration_seconds
    )


@contextlib.asynccontextmanager
async def _temporary_folder() -> AsyncIterator[Path]:
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="ai-ops-home-")
    try:
        yield Path(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _outside(spec: SandboxSpec, home: str) -> tuple[list[str], Path, dict[str, str]]:
    """Return argv, folder and environment with each mount point replaced by the folder behind it."""
    translate = _translation(spec.binds)
    words = {"HOME": home, **spec.env}
    env = process.clean_environment({name: translate(value) for name, value in words.items()})
    return [translate(word) for word in spec.argv], Path(translate(spec.cwd)), env


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


def _unavailable(why: str) -> PermanentError:
    return PermanentError("sandbox_unavailable", f"bubblewrap: {why}", next_step=_INSTALL)
