"""The sandbox where bubblewrap cannot run: a container of podman or docker for each command.

A container is no child of ours: killing the client leaves it running. So each has a name, by which it is
killed and removed, and a label, by which the next start finds what a killed server left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from ai_ops import process
from ai_ops.core.failures import failed
from ai_ops.core.ports import Bind, SandboxResult, SandboxSpec
from ai_ops.errors import AiOpsError
from ai_ops.flow.report import RunEnd
from ai_ops.workspace import seccomp
from ai_ops.workspace.container import LABEL, Runtime, container_argv, empty_image, own_user
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.quota import Quota, writable_folders
from ai_ops.workspace.supervising import supervise
from ai_ops.workspace.watcher import memory_events, private_places, watch

PROGRAMS = ("podman", "docker")
"""The runtimes that are looked for, in this order: podman needs no daemon."""

log = logging.getLogger(__name__)

_EMPTY = "localhost/ai-ops-sandbox"
_PATIENCE = process.Limits(wall_seconds=60.0)
_POLL_SECONDS = 0.2
# What a client needs to find its daemon, its images and its settings.
_CLIENT_ENVIRONMENT = ("HOME", "CONTAINERS_CONF", "CONTAINER_HOST")
_CLIENT_PREFIXES = ("DOCKER_", "XDG_")
_NOT_RUN = frozenset({125, 126, 127})  # the runtime's own exit codes, that a command may have too
# podman's watcher of a container leaves a file called oom in the folder where it was begun.
_WITHIN = ("/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh")
_SELF_TEST = (
    'test ! -w /proc/sys/kernel/core_pattern && test ! -w /usr && test -w /tmp && test -w "$HOME" '
    "&& read -r word < /workspace/word && echo written > /workspace/answer "
    '&& grep -q "CapEff:.*0000000000000000" /proc/self/status && echo "$word" && grep -c : /proc/net/dev'
)


class OciSandbox:
    """Runs each command in a container of its own."""

    def __init__(
        self, limits: SandboxLimits | None = None, *, program: str, owner: Path, image: str = ""
    ) -> None:
        """Nothing is started or checked yet; see ``probe``.

        Args:
            limits: what a command may use.
            program: ``podman`` or ``docker``, from the search path.
            owner: a folder that is one server's alone; its containers are marked with it.
            image: has the tools; empty: the host's are shown.
        """
        self.image = image
        self._limits = limits or SandboxLimits()
        self._program = program
        self._folder = owner.absolute()
        self._owner = hashlib.sha256(str(self._folder).encode()).hexdigest()[:16]
        self._runtime: Runtime | None = None
        self._settling = asyncio.Lock()

    async def probe(self) -> str:
        """Run a command inside and describe the sandbox, or raise ``sandbox_unavailable``."""
        with tempfile.TemporaryDirectory(prefix="ai-ops-probe-") as name:
            folder, word = Path(name), uuid4().hex
            (folder / "word").write_text(f"{word}\n", encoding="ascii")
            bind = Bind(folder, "/workspace", writable=True)
            spec = SandboxSpec(("/bin/sh", "-c", _SELF_TEST), (bind,), wall_seconds=60)
            result = await self.run(spec)
            if result.output.split() != [word, "1"] or not (folder / "answer").is_file():
                told = result.output.strip()[-300:] or f"{result.end}, exit code {result.exit_code}"
                raise self._unavailable(f"its self-test failed: {told}")
        version = (await self._ask("--version")).text.strip().partition("\n")[0]
        return f"{version}, {self.image or 'the tools of this host'}, no network"

    @contextlib.asynccontextmanager
    async def prepare(self, spec: SandboxSpec) -> AsyncGenerator[_Contained]:
        """Prepare a command for a child that the caller starts; leaving removes its container.

        Raises:
            PermanentError: ``sandbox_unavailable``, ``sandbox_refused``.
        """
        runtime, name = await self._settled(), f"ai-ops-{uuid4().hex}"
        argv = container_argv(spec, self._limits, runtime, name)
        quota = Quota(writable_folders(spec.binds), self._limits)
        with tempfile.TemporaryDirectory(prefix="ai-ops-oci-") as folder:
            try:
                yield _Contained([*_WITHIN, folder, *argv], quota, self, name, spec, self._limits)
            finally:
                await asyncio.shield(asyncio.ensure_future(self._remove([name])))

    async def run(self, spec: SandboxSpec) -> SandboxResult:
        """Run a command to its end or its limits; nothing of its container survives.

        Raises:
            PermanentError: ``sandbox_unavailable``, ``sandbox_refused``.
        """
        async with self.prepare(spec) as contained:
            result = await supervise(contained, spec, self._limits, client_environment())
            if result.exit_code is not None and not await contained.stood(result.exit_code):
                raise self._unavailable(result.output.strip()[-500:])
        return _without_mark(result, contained.name)

    async def clear(self) -> tuple[str, ...]:
        """Remove the containers that a killed server of this owner left behind; return their ids.

        Call it only while the owner's folder is this process's alone.
        """
        found = await self._ask("ps", "--all", "--quiet", "--filter", f"label={LABEL}={self._owner}")
        if left := found.text.split():
            await self._remove(left)
        return tuple(left)

    async def state(self, name: str) -> dict[str, Any]:
        """Return what the runtime says of a container; empty when there is none."""
        told = await self._ask("inspect", "--type", "container", name)
        with contextlib.suppress(ValueError, LookupError, TypeError):
            whole = json.loads(told.text)[0]
            return {"Id": whole["Id"], **whole["State"]}
        return {}

    async def _settled(self) -> Runtime:
        """Return the runtime as it is used, found out once."""
        async with self._settling:
            if self._runtime is None:
                self._runtime = await self._settle()
            return self._runtime

    async def _settle(self) -> Runtime:
        podman = "podman" in (await self._ask("--version")).text.lower()
        user, keep_id = own_user(), podman and os.geteuid() != 0
        if not podman:
            told = await self._ask("info", "--format", "{{json .SecurityOptions}}")
            if not told.ok:
                raise self._unavailable(told.complaint[-300:] or "it does not answer")
            if "name=rootless" in told.text:  # its root is this user
                user = "0:0"
        image = self.image or await self._make_empty()
        if self.image and not (await self._ask("image", "inspect", image)).ok:
            raise self._unavailable(f"there is no image {image}; pull or build it first")
        calls = await asyncio.to_thread(_write_filter, self._folder) if podman else None
        return Runtime(self._program, podman, user, image, bool(self.image), self._owner, keep_id, calls)

    async def _make_empty(self) -> str:
        """Return the image that holds nothing, made here where it is missing."""
        packed = await asyncio.to_thread(empty_image)
        tag = f"{_EMPTY}:{hashlib.sha256(packed).hexdigest()[:12]}"
        if not (await self._ask("image", "inspect", tag)).ok:
            made = await self._ask("import", "-", tag, stdin=packed)
            if not made.ok:
                raise self._unavailable(f"it cannot import an image: {made.complaint[-300:]}")
        return tag

    async def _remove(self, names: Sequence[str]) -> None:
        done = await self._ask("rm", "--force", "--volumes", *names)
        if not done.ok and any([await self.state(name) for name in names]):
            log.warning("a container is left behind: %s", done.complaint[-300:])

    async def _ask(self, *words: str, stdin: bytes = b"") -> process.Completed:
        try:
            return await process.run(
                [self._program, *words], env=client_environment(), stdin=stdin, limits=_PATIENCE
            )
        except FileNotFoundError:
            raise self._unavailable("it is not installed") from None

    def _unavailable(self, why: str) -> AiOpsError:
        step = f"Install {self._program} and let this user run containers, or mend bubblewrap."
        return failed("sandbox_unavailable", f"{self._program}: {why}", next_step=step)


@dataclass(frozen=True, slots=True)
class _Contained:
    """A command in a container."""

    argv: list[str]
    quota: Quota
    sandbox: OciSandbox
    name: str
    spec: SandboxSpec
    limits: SandboxLimits
    pass_fds: tuple[int, ...] = ()

    async def watch(self, pid: int, begun: Callable[[], None] = lambda: None) -> RunEnd:
        """Watch from the container's first process; ``pid`` is only the client's."""
        first = await self._first()
        begun()
        if not first:
            return await watch(0, self.limits, self.quota)
        private = private_places(first, self.spec.binds)
        return await watch(first, self.limits, self.quota, private, memory_events(first))

    async def _first(self) -> int:
        """Return the pid of the container's first process; 0 when it runs where we cannot see it."""
        while True:
            state = await self.sandbox.state(self.name)
            if found := int(state.get("Pid", 0)):
                return found if await asyncio.to_thread(_belongs, found, state["Id"]) else 0
            await asyncio.sleep(_POLL_SECONDS)

    async def stood(self, exit_code: int) -> bool:
        if exit_code not in _NOT_RUN:
            return True
        started = (await self.sandbox.state(self.name)).get("StartedAt", "")
        return bool(started) and not started.startswith("0001-")

    def kill(self) -> None:
        """Do nothing: leaving ``prepare`` kills the container by its name."""


def _write_filter(folder: Path) -> Path | None:
    """Write the filter of system calls where podman reads it; None where podman's own is not known."""
    profile = seccomp.find_profile()
    if profile is None:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / ".ai-ops-seccomp.json"
    made = folder / f".ai-ops-seccomp-{uuid4().hex}"
    made.write_text(json.dumps(seccomp.without_namespaces(profile)), encoding="utf-8")
    made.replace(place)
    return place


def _belongs(pid: int, container: str) -> bool:
    """Whether a process is a container's: a runtime may count in another process namespace than ours."""
    try:
        return container in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    except OSError:
        return False


def _without_mark(result: SandboxResult, mark: str) -> SandboxResult:
    """Take off the last line by which the inside says that the kernel ended something for its memory."""
    output = result.output.removesuffix(f"{mark}\n")
    if output == result.output:
        return result
    if result.end is RunEnd.EXITED:
        return replace(result, end=RunEnd.MEMORY_LIMIT, exit_code=None, output=output)
    return replace(result, output=output)


def client_environment() -> dict[str, str]:
    """Return the environment of a runtime's client, which is trusted; nothing of it gets inside."""
    return process.clean_environment(
        {
            name: value
            for name, value in os.environ.items()
            if name in _CLIENT_ENVIRONMENT or name.startswith(_CLIENT_PREFIXES)
        }
    )
