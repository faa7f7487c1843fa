"""Where untrusted commands run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ai_ops.flow.report import RunEnd


@dataclass(frozen=True, slots=True)
class Bind:
    """A host path that is visible inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """One command in a sandbox. ``cwd`` is inside; ``env`` is the whole environment.

    ``niceness`` is how far it stands back for the server, 0 to 19.
    """

    argv: tuple[str, ...]
    binds: tuple[Bind, ...]
    cwd: str = "/workspace"
    env: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    wall_seconds: float = 600.0
    idle_seconds: float | None = None
    output_limit: int = 10_000_000
    niceness: int = 10


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """How it ended; ``output`` is stdout and stderr together, decoded, capped at the limit."""

    end: RunEnd
    exit_code: int | None
    output: str
    duration_seconds: float


class Prepared(Protocol):
    """A sandboxed command that somebody else starts as a child, in a group of its own."""

    @property
    def argv(self) -> Sequence[str]:
        """The whole command line."""
        ...

    @property
    def pass_fds(self) -> Sequence[int]:
        """File descriptors that the child inherits."""
        ...

    async def watch(self, pid: int, begun: Callable[[], None] = lambda: None) -> RunEnd:
        """Let the command of the child ``pid`` begin; return when it uses too much, and not otherwise.

        ``begun`` is called when it is let in; the time before that is the sandbox's own.

        What it may use are memory, processes, processor time, and what it writes. The caller, who kills
        the child's group then, watches the clock and the output.
        """
        ...

    async def stood(self, exit_code: int) -> bool:
        """Whether there was a sandbox and the command ran in it, of a child that ended by itself."""
        ...


class Sandbox(Protocol):
    """Runs untrusted commands. Refuses with ``sandbox_unavailable`` when it cannot isolate."""

    async def probe(self) -> str:
        """Prove that it works and describe it in a few words, or raise ``sandbox_unavailable``."""
        ...

    def prepare(self, spec: SandboxSpec) -> AbstractAsyncContextManager[Prepared]:
        """Prepare a command for a child that the caller starts; leaving ends what is left of it.

        ``spec``'s limits on time and output are the caller's to hold.
        """
        ...

    async def run(self, spec: SandboxSpec) -> SandboxResult:
        """Run a command to its end or its limits; no process of it survives."""
        ...
