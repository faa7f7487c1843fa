"""Which sandbox ``SANDBOX`` means: bubblewrap, a container where that cannot run, or, written out, none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.core.ports import Prepared, Sandbox, SandboxResult, SandboxSpec
from ai_ops.errors import PermanentError
from ai_ops.workspace.oci import PROGRAMS, OciSandbox
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox
from ai_ops.workspace.toolchains import FindToolchain, Toolchain, find_toolchain


class AutoSandbox:
    """The first of several sandboxes that works, or none: it refuses, and never runs without isolation."""

    def __init__(self, candidates: Sequence[Sandbox]) -> None:
        """Nothing is tried before it is needed. What worked once is kept."""
        self._candidates = tuple(candidates)
        self._chosen: Sandbox | None = None
        self._why = ""
        self._choosing = asyncio.Lock()

    @property
    def chosen(self) -> Sandbox | None:
        """The sandbox that is used; None as long as none has worked."""
        return self._chosen

    async def probe(self) -> str:
        """Prove that one works, and say which and why, or raise ``sandbox_unavailable``."""
        chosen = await self._choose()
        return f"{await chosen.probe()}{self._why}"

    @contextlib.asynccontextmanager
    async def prepare(self, spec: SandboxSpec) -> AsyncGenerator[Prepared]:
        """Prepare a command for a child that the caller starts.

        Raises:
            PermanentError: ``sandbox_unavailable``, ``sandbox_refused``.
        """
        async with (await self._choose()).prepare(spec) as prepared:
            yield prepared

    async def run(self, spec: SandboxSpec) -> SandboxResult:
        """Run a command to its end or its limits.

        Raises:
            PermanentError: ``sandbox_unavailable``, ``sandbox_refused``.
        """
        return await (await self._choose()).run(spec)

    async def clear(self) -> tuple[str, ...]:
        """Remove the containers that a killed server left, whatever is chosen now; return their ids."""
        left: list[str] = []
        for candidate in self._candidates:
            if isinstance(candidate, OciSandbox):
                with contextlib.suppress(PermanentError):
                    left += await candidate.clear()
        return tuple(left)

    async def _choose(self) -> Sandbox:
        async with self._choosing:
            if self._chosen is None:
                self._chosen = await self._first_that_works()
            return self._chosen

    async def _first_that_works(self) -> Sandbox:
        refusals: list[PermanentError] = []
        for candidate in self._candidates:
            try:
                await candidate.probe()
            except PermanentError as error:
                refusals.append(error)
            else:
                self._why = "".join(f"; not {error.message}" for error in refusals)
                return candidate
        raise failed(
            "sandbox_unavailable",
            "; ".join(error.message for error in refusals),
            next_step=refusals[0].next_step,
        )


def choose(
    setting: str, limits: SandboxLimits | None = None, *, owner: Path = Path("workspaces"), image: str = ""
) -> BubblewrapSandbox | OffSandbox | AutoSandbox:
    """Return the sandbox that ``SANDBOX`` names. ``auto`` isolates or, at the first run, refuses.

    Args:
        setting: ``bwrap``, ``auto`` or ``off``.
        limits: what a command may use.
        owner: a folder that is this server's alone.
        image: what containers are made from; empty: the host's tools.

    Raises:
        PermanentError: ``config_invalid``.
    """
    if setting == "bwrap":
        return BubblewrapSandbox(limits, owner=owner)
    if setting == "auto":
        containers = [OciSandbox(limits, program=program, owner=owner, image=image) for program in PROGRAMS]
        return AutoSandbox([BubblewrapSandbox(limits, owner=owner), *containers])
    if setting == "off":
        return OffSandbox(limits)
    raise failed("config_invalid", f"SANDBOX={setting!r}")


def toolchains_of(sandbox: Sandbox) -> FindToolchain:
    """Return how programs are looked up: on this host, unless a container's image has its own."""

    def find(tools: Sequence[str]) -> Toolchain:
        used = sandbox.chosen if isinstance(sandbox, AutoSandbox) else sandbox
        if isinstance(used, OciSandbox) and used.image:
            return Toolchain(key=f"image {used.image}")
        return find_toolchain(tools)

    return find
