"""Time, steps, runs and their traces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from ai_ops.flow.run import Artifact, Run, Step, TraceEvent, Usage
from ai_ops.flow.task import Task

Outcome = dict[str, Any]
"""What a step returns: a small JSON object. Big things go to artifacts and patches."""


class Clock(Protocol):
    """The time, so that tests can set it."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class Steps(Protocol):
    """Runs the steps of one run so that each outcome is committed before anything follows from it."""

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do ``work`` once for (run, name, round) and return its outcome; entered again, return that.

        ``work`` may be called again after a crash, so its outward effects look before they create.
        """
        ...

    async def wait(self, seconds: float) -> None:
        """Wait durably; a restart goes on with the remaining time."""
        ...


Worker = Callable[[str, int, Steps], Awaitable[None]]
"""What an engine calls for (task id, run number, steps): the orchestrator's entry.

It leaves the task in a state that says how the run went, and handles the failures it knows itself.
"""


Fail = Callable[[Task, Mapping[str, str]], Awaitable[None]]
"""What an engine calls when a run broke that the worker did not end: the task, and why in
``{"code", "message", "next_step"}``. It moves the task to ``failed``; harmless when it is over."""


class Engine(Protocol):
    """Queues tasks and gives each to the worker once its turn has come. One per process."""

    async def start(self) -> None:
        """Take up what is unfinished, and work from now on.

        Raises:
            PermanentError: ``data_dir_in_use`` when another process works on the same data,
                ``engine_running``, ``engine_unavailable``.
        """
        ...

    async def stop(self) -> None:
        """Interrupt what runs; the next start goes on with it."""
        ...

    async def enqueue(self, task: Task) -> None:
        """Queue the task's present run. Call it after the task is committed; harmless when repeated."""
        ...

    async def cancel(self, task: Task) -> None:
        """Interrupt the task's present run at once. Call it after the task was moved (cancelled, paused)."""
        ...

    async def restart(self, task: Task, reason: str) -> None:
        """Interrupt the task's present run, and queue it again if the task still wants it.

        The steps it committed are kept; ``reason`` stands on the task until it begins.
        """

    def hold(self, held: bool) -> None:
        """Begin nothing while held; what works goes on to its end."""
        ...

    async def queue_depth(self) -> int:
        """Return how many runs wait for their turn."""
        ...


class Trace(Protocol):
    """The append-only record of runs. Everything given to it is redacted before it is stored."""

    async def run_started(self, run: Run) -> None:
        """Record that a run began; harmless when it is known."""
        ...

    async def run_ended(self, run_id: str, outcome: str) -> None:
        """Record how a run ended, and append the ``complete`` event."""
        ...

    async def step_outcome(self, run_id: str, name: str, round: int) -> Outcome | None:
        """Return the committed outcome of a step, or None."""
        ...

    async def step_started(self, run_id: str, name: str, round: int) -> None:
        """Record that a step begins (again)."""
        ...

    async def step_done(self, run_id: str, name: str, round: int, outcome: Outcome) -> None:
        """Commit a step's outcome. ``outcome["usage"]``, when there, is added to the run's usage."""
        ...

    async def step_failed(self, run_id: str, name: str, round: int, failure: Mapping[str, str]) -> None:
        """Record that an entry of a step failed."""
        ...

    async def add_usage(self, run_id: str, usage: Usage) -> None:
        """Add what a call that failed had cost; what a step used comes with its outcome."""
        ...

    async def emit(self, run_id: str, kind: str, data: Mapping[str, Any]) -> None:
        """Append an event to the run's history."""
        ...

    async def put_artifact(self, run_id: str, name: str, text: str, media_type: str = "text/plain") -> None:
        """Keep a named text with the run; the same name replaces."""
        ...

    async def artifact(self, run_id: str, name: str) -> Artifact | None:
        """Return an artifact."""
        ...

    async def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """Return a run's artifacts, by name, each with empty text."""
        ...

    async def put_patch(self, run_id: str, name: str, patch: str) -> None:
        """Keep a working patch byte for byte; patches are never served."""
        ...

    async def patch(self, run_id: str, name: str) -> str | None:
        """Return a working patch."""
        ...

    async def runs(self, *, limit: int = 50, cursor: str | None = None) -> tuple[Sequence[Run], str | None]:
        """Return runs, newest first, and the cursor of the next page."""
        ...

    async def find_run(self, run_id: str) -> Run | None:
        """Return a run."""
        ...

    async def steps(self, run_id: str) -> Sequence[Step]:
        """Return a run's steps in the order they first began."""
        ...

    async def events_after(self, run_id: str, seq: int, limit: int = 500) -> Sequence[TraceEvent]:
        """Return the run's history after ``seq``."""
        ...

    def follow(self, run_id: str, seq: int = 0) -> AsyncIterator[TraceEvent]:
        """Yield the run's history after ``seq`` as it grows; ends after ``complete``."""
        ...
