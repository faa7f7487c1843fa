"""Calls of the real Claude CLI in the real sandbox, against the misbehaving API double."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from ai_ops.core.budgets import Budgets
from ai_ops.core.clock import SystemClock
from ai_ops.core.ports import Ledger, Sandbox
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest, Purpose, Watch
from ai_ops.integrations.claude import ClaudeFixer
from ai_ops.integrations.claude_gateway import ClaudeGateway, Credential
from ai_ops.store.memory import MemoryLedger
from ai_ops.workspace.sandbox import BubblewrapSandbox
from tests.support.messages_double import MessagesDouble, conversation

KEY = "sk-ant-planted-0123456789"
FIRST_LINE = "ai-ops: fix v1 run=r1 round=1 block=NONCE"
EDIT_TOOLS = ("Read", "Edit", "Write", "Glob", "Grep")


def use(name: str, **input: Any) -> dict[str, Any]:
    """A turn that uses one tool."""
    return {"tools": [{"name": name, "input": input}]}


def fix_request(checkout: Path | None, **changes: Any) -> FixRequest:
    base: dict[str, Any] = {
        "run_id": "r1",
        "purpose": Purpose.FIX,
        "round": 1,
        "nonce": "NONCE",
        "mode": FixMode.AGENTIC if checkout else FixMode.CODE_BLOCKS,
        "prompt": f"{FIRST_LINE}\nMend it, please.",
        "checkout": checkout,
        "tools": EDIT_TOOLS if checkout else (),
        "writes": checkout is not None,
        "budget_usd": 2.0,
        "wall_seconds": 60.0,
        "idle_seconds": 30.0,
    }
    return FixRequest(**{**base, **changes})


def a_ledger(hour_usd: float = 0.0, day_usd: float = 1000.0) -> MemoryLedger:
    """A ledger of its own."""
    return MemoryLedger(SystemClock(), Budgets(hour_usd, day_usd))


class Call:
    """One call, or several; ``double`` and ``seen`` tell what went to the API and what was watched."""

    def __init__(
        self,
        *turns: Mapping[str, Any],
        sandbox: Sandbox | None = None,
        url: str = "",
        ledger: Ledger | None = None,
        purpose: str = "fix",
        key: str = KEY,
        gateway: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.double = MessagesDouble(conversation(purpose, *turns))
        self.ledger = ledger or a_ledger()
        self._credential = Credential.choose(api_key=key)
        self._gateway = gateway or {}
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.url = url
        self._sandbox = sandbox or BubblewrapSandbox()
        self._options = {"retries": 0, **options}
        # Servers of other tests may live in this process's care; they are not of this call.
        self._others = frozenset(_children())
        self._over = False

    async def ask(self, request: FixRequest, watch: Watch | None = None) -> FixAnswer:
        async with self.double:
            url = self.url or self.double.url
            gateway = ClaudeGateway(url, self._credential, self.ledger, **self._gateway)
            fixer = ClaudeFixer(gateway, self._sandbox, **self._options)
            try:
                return await fixer.ask(request, watch or self._watch)
            finally:
                self._over = True

    async def _watch(self, kind: str, data: dict[str, Any]) -> None:
        self.seen.append((kind, data))

    async def began(self) -> list[psutil.Process]:
        """Wait until the API was asked, and return the processes of the call."""
        while not self.double.requests:
            assert not self._over, "it ended before it asked"
            await asyncio.sleep(0.02)
        return self.processes()

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the call that live now."""
        return [process for process in _children() if process not in self._others]


def _children() -> list[psutil.Process]:
    return psutil.Process(os.getpid()).children(recursive=True)


async def gone(processes: list[psutil.Process]) -> None:
    """See that all end at once; left alone, the CLI would go on for longer than this waits."""
    async with asyncio.timeout(2.0):
        while any(alive(process) for process in processes):
            await asyncio.sleep(0.02)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
