"""Keeps the queue's gate and maintenance in force, and says when the queue takes work again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from ai_ops.core.admission import Gate
from ai_ops.core.notices import Notice
from ai_ops.core.orchestrator.duty_rounds import again_and_again
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Engine, Maintenance, MaintenanceSwitch, QueueGate
from ai_ops.core.telling import told
from ai_ops.core.wording import counted

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class QueueKeeping:
    """Looks every second.

    Args:
        tools: who is told, and how.
        engine: begins nothing during maintenance.
        gate: the cap on prompt tasks.
        maintenance: the switch.
        release: begins the repairs that waited.
    """

    def __init__(
        self,
        tools: Tools,
        engine: Engine,
        gate: QueueGate,
        maintenance: MaintenanceSwitch,
        release: Callable[[], Awaitable[None]],
    ) -> None:
        self._tools = tools
        self._engine = engine
        self._gate = gate
        self._maintenance = maintenance
        self._release = release
        self._last: Maintenance | None = None
        self._was_closed = False

    async def run(self) -> None:
        """Look until cancelled."""
        await again_and_again("the queue is not looked after", _LOOK_SECONDS, self.look)

    async def look(self) -> None:
        """Look once."""
        self.hold()
        gate, pending = await self._gate.look()
        if gate.closed and not self._was_closed:
            log.warning("the queue is full: %d prompt tasks pending, new ones are refused", pending)
        self._was_closed = gate.closed
        if not gate.told and not gate.closed:
            await self._say_open(gate, pending)

    def hold(self) -> None:
        """Let the engine begin work, or not, as maintenance says now."""
        now = self._maintenance.current()
        self._engine.hold(now is not None)
        if (now is None) != (self._last is None):
            because = f" ({told(self._tools.redact(now.reason))})" if now and now.reason else ""
            word = f"begins{because}: no new work is begun" if now else "is over: work is begun again"
            log.warning("maintenance %s", word)
        self._last = now

    async def _say_open(self, gate: Gate, pending: int) -> None:
        """Say it once, whatever dies in between: the notification's key is the moment."""
        tools, refused = self._tools, counted(gate.refused, "task")
        log.warning("the queue takes prompt tasks again: %d pending, %s refused", pending, refused)
        if gate.refused and tools.policy.recipients and gate.since is not None:
            notice = Notice(
                title="The queue takes prompt tasks again",
                headline=f"{counted(pending, 'prompt task')} pending; {refused} refused while it was full.",
                next_step="Send again what was refused.",
            )
            key = f"queue-open:{gate.since.isoformat()}"
            message = tools.mailroom.notice(key, notice, tools.policy.recipients, tools.clock.now())
            await tools.outbox.put(message)
        await self._gate.told(gate)
        await self._release()
