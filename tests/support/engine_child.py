"""A process with a durable engine on the real tables, and a run of five steps that it kills itself in.

``python -m tests.support.engine_child <folder> <point>``: the point is ``<step>:<when>`` with when one of
``before`` (the effect), ``after`` (the effect, before the step returns) and ``left`` (the step is
committed), or ``none``. What it does in the world is a line in ``effects``. It ends by itself when the
engine has recorded that the run is over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

from ai_ops.core.identity import run_id
from ai_ops.core.ports import NewTask, Outcome, Steps
from ai_ops.core.redaction.redactor import Redactor
from ai_ops.engine.durable import DurableEngine
from ai_ops.flow.run import Run
from ai_ops.flow.task import Task, TaskState
from ai_ops.store.database import open_database
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore

STEPS = ("checkout", "fix", "verify", "push", "open_pull_request")


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@asynccontextmanager
async def tables(folder: Path) -> AsyncIterator[tuple[TaskRepository, TraceStore, Task]]:
    """Open the tables in ``folder``, which hold the one task, made at the first time."""
    database = await open_database(f"sqlite:///{folder}/ai_ops.db")
    try:
        tasks = TaskRepository(database, WallClock())
        wish = NewTask("prompt", None, "normal", {"prompt": "go"}, idempotency_key="the one task")
        created = await tasks.create(wish)
        yield tasks, TraceStore(database, WallClock(), Redactor()), created.task
    finally:
        await database.close()


def workflow_states(folder: Path) -> list[str]:
    """Return what the engine has recorded of its runs."""
    with closing(sqlite3.connect(folder / "engine.db")) as db:
        return [row[0] for row in db.execute("SELECT status FROM workflow_status")]


def look_and_create(effects: Path, name: str) -> None:
    """The effect: a line, once, however often the step is entered."""
    if effects.exists() and name in effects.read_text().split():
        return
    with effects.open("a") as file:
        file.write(f"{name}\n")
        file.flush()
        os.fsync(file.fileno())


async def main(folder: Path, point: str) -> None:
    def here(step: str, when: str) -> None:
        if point == f"{step}:{when}":
            os.kill(os.getpid(), signal.SIGKILL)

    async with tables(folder) as (tasks, trace, _):

        async def worker(task_id: str, run_number: int, steps: Steps) -> None:
            run = run_id(task_id, run_number)
            now = await tasks.find(task_id)
            if now is not None and now.state is TaskState.PENDING:
                await tasks.move(task_id, TaskState.PROCESSING)
            await trace.run_started(Run(run, task_id, run_number, datetime.now(UTC)))
            for step in STEPS:

                async def work(step: str = step) -> Outcome:
                    here(step, "before")
                    look_and_create(folder / "effects", step)
                    here(step, "after")
                    return {"step": step}

                assert await steps.run(step, 1, work) == {"step": step}
                here(step, "left")
            await tasks.move(task_id, TaskState.COMPLETED)
            await trace.run_ended(run, TaskState.COMPLETED.value)

        url = f"sqlite:///{folder}/engine.db"
        engine = DurableEngine(url, folder, worker, tasks, trace)
        await engine.start()
        while workflow_states(folder) != ["SUCCESS"]:
            await asyncio.sleep(0.02)
        await engine.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
