"""The real server with one fault: it kills itself, as ``kill -9`` would, at a chosen moment of a run.

``python -m tests.support.crashing_server`` takes its settings from the environment like ``ai-ops server``.
``CRASH_AT`` is ``<step>:<round>:<when>``; ``when`` is one of

- ``before``: the step is recorded as begun and its work is about to run,
- ``after``: the work has returned, effects and all, and its outcome is not committed,
- ``committed``: the outcome is committed in the trace, and the engine does not know of it yet,
- ``left``: the engine knows too, and the run was about to go on.

The moments are found from outside: by what is put around the worker's steps, and around the trace.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from ai_ops import wiring
from ai_ops.cli.logs import configure
from ai_ops.cli.serve import stop_signal
from ai_ops.core.ports import Outcome, Steps, Worker
from ai_ops.settings import Settings, load
from ai_ops.trace.trace_store import TraceStore


class Fault:
    """The moment to die at; never when it is empty."""

    def __init__(self, point: str) -> None:
        self._point = point

    def here(self, name: str, round: int, when: str) -> None:
        if self._point == f"{name}:{round}:{when}":
            os.kill(os.getpid(), signal.SIGKILL)


class CrashingSteps:
    """Steps that die beside the real ones."""

    def __init__(self, steps: Steps, fault: Fault) -> None:
        self._steps, self._fault = steps, fault

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        async def surrounded() -> Outcome:
            self._fault.here(name, round, "before")
            outcome = await work()
            self._fault.here(name, round, "after")
            return outcome

        outcome = await self._steps.run(name, round, surrounded)
        self._fault.here(name, round, "left")
        return outcome

    async def wait(self, seconds: float) -> None:
        await self._steps.wait(seconds)


def crash_after_commit(fault: Fault) -> None:
    """Die between the trace's commit of an outcome and the engine's checkpoint of it."""
    commit = TraceStore.step_done

    async def step_done(self: TraceStore, run_id: str, name: str, round: int, outcome: Any) -> None:
        await commit(self, run_id, name, round, outcome)
        fault.here(name, round, "committed")

    TraceStore.step_done = step_done  # type: ignore[method-assign]


async def serve(settings: Settings, fault: Fault) -> None:
    stop = stop_signal()

    def wrap(worker: Worker) -> Worker:
        async def crashing(task_id: str, run_number: int, steps: Steps) -> None:
            await worker(task_id, run_number, CrashingSteps(steps, fault))

        return crashing

    crash_after_commit(fault)
    async with wiring.serving(settings, wrap=wrap):
        await stop.wait()


def main() -> None:
    settings = load().settings
    configure(settings.log_format, wiring.redactor(settings))
    asyncio.run(serve(settings, Fault(os.environ.get("CRASH_AT", ""))))


if __name__ == "__main__":
    main()
