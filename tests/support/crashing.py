"""The real server with one fault: it kills itself, as ``kill -9`` would, at a chosen moment of a run.

``python -m tests.support.crashing_server`` runs it.
``CRASH_AT`` is ``<step>:<round>:<when>``; ``when`` is one of

- ``before``: the step is recorded as begun and its work is about to run,
- ``inside``: what the step does outside is done, and the work has not returned: the pull request is on its
  host and we have no record of it, the mail is at the SMTP server and still due in the outbox,
- ``after``: the work has returned, and its outcome is not committed,
- ``committed``: the outcome is committed in the trace, and the engine does not know of it yet,
- ``left``: the engine knows too, and the run was about to go on.

For ``committed`` the step may also be a state of the task: the task has moved to it. ``record:1:inside``: our
record of the pull request is there, and its task does not name it yet.

With ``SOAK_CHANCE`` failures are met at random besides: see ``soaking``.

The moments are found from outside, by what is put around the worker's steps and around adapters. Each
time that a step's work is begun is said in a line of stderr.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ai_ops.cli.logs import configure
from ai_ops.cli.serve import stop_signal
from ai_ops.core.ports import Outcome, Steps, Worker
from ai_ops.integrations.mail.smtp import SmtpNotifier
from ai_ops.settings import Settings
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github import GitHubHost
from ai_ops.wiring.masking import redactor
from ai_ops.wiring.serving import serving
from ai_ops.workspace.mounts import enter_private_mounts
from tests.support.soaking import SoakedSteps, weather_of


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
            print(f"work: {name}:{round}", file=sys.stderr, flush=True)
            self._fault.here(name, round, "before")
            outcome = await work()
            self._fault.here(name, round, "after")
            return outcome

        outcome = await self._steps.run(name, round, surrounded)
        self._fault.here(name, round, "left")
        return outcome

    async def wait(self, seconds: float) -> None:
        await self._steps.wait(seconds)


def crash_around(owner: type, method: str, fault: Fault, point: Callable[..., tuple[str, int, str]]) -> None:
    """Die after a method of an adapter has done its work; ``point`` names the moment by its arguments."""
    work = getattr(owner, method)

    async def surrounded(self: Any, *arguments: Any, **named: Any) -> Any:
        answer = await work(self, *arguments, **named)
        fault.here(*point(*arguments))
        return answer

    setattr(owner, method, surrounded)


async def serve(settings: Settings, fault: Fault, overlays: bool) -> None:
    stop = stop_signal()

    weather = weather_of(os.environ)

    def wrap(worker: Worker) -> Worker:
        async def crashing(task_id: str, run_number: int, steps: Steps) -> None:
            steps = CrashingSteps(steps, fault)
            await worker(task_id, run_number, SoakedSteps(steps, weather) if weather else steps)

        return crashing

    crash_around(TraceStore, "step_done", fault, lambda run, name, round, outcome: (name, round, "committed"))
    crash_around(GitHubHost, "open_pull_request", fault, lambda *_: ("open_pull_request", 1, "inside"))
    crash_around(PullRequestRepository, "record", fault, lambda _: ("record", 1, "inside"))
    crash_around(GitHubHost, "comment", fault, lambda *_: ("reply", 1, "inside"))
    crash_around(GitHubHost, "update_pull_request", fault, lambda *_: ("record", 1, "inside"))
    crash_around(GitClient, "push", fault, lambda *_: ("push", 1, "inside"))
    crash_around(TaskRepository, "move", fault, lambda _, to: (str(to), 1, "committed"))
    crash_around(SmtpNotifier, "deliver", fault, lambda _: ("notify", 1, "inside"))
    async with serving(settings, wrap=wrap, overlays=overlays):
        await stop.wait()


def run(settings: Settings) -> None:
    """Serve until told to stop, or dead."""
    configure(settings.log_format, redactor(settings))
    overlays = enter_private_mounts(settings.workspaces_dir)
    asyncio.run(serve(settings, Fault(os.environ.get("CRASH_AT", "")), overlays))
