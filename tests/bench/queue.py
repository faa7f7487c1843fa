"""The queue under load: how soon a task starts, how soon a cancelled child is dead, how fast lists are.

Starts are measured from before the task's commit to the worker's first line, on a durable engine, while
thousands of tasks wait for a repository that is at work; with the tables on SQLite, and on PostgreSQL where
that is installed. A cancelled child is the real CLI in its sandbox, before a model that hangs. The engine's
database is SQLite, whatever the tables are on.
"""

import asyncio
import statistics
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

from sqlalchemy import insert

from ai_ops.core.clock import SystemClock
from ai_ops.core.ports import NewTask
from ai_ops.core.redaction import Redactor
from ai_ops.engine.durable import DurableEngine
from ai_ops.flow.task import Priority, TaskKind, TaskState
from ai_ops.store import tables
from ai_ops.store.database import open_database
from ai_ops.store.rows import task_row
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore
from tests.bench.figures import Figure
from tests.support import postgres
from tests.support.children import until
from tests.support.memory_ports import a_task
from tests.support.messages_double import conversation
from tests.support.running_server import running
from tests.support.scenario import build_toolbox, installed
from tests.support.store import sqlite_url

_WAITING = 5_000
_STARTS = 300
_EVERY_SECONDS = 0.04
_PARTIES = 10
_CANCELS = 20
_LISTED = 10_000


def queue():
    """Yield the figures."""
    with tempfile.TemporaryDirectory() as name:
        yield from asyncio.run(_starts(Path(name), sqlite_url(Path(name)), "SQLite", 250, shares=True))
    if postgres.installed():
        with tempfile.TemporaryDirectory() as name, postgres.server() as url:
            yield from asyncio.run(_starts(Path(name), postgres.renewed(url), "PostgreSQL", 100))
    for measure in (_cancels, _lists):
        with tempfile.TemporaryDirectory() as name:
            yield from asyncio.run(measure(Path(name)))


def p95(times):
    """Return the 95th percentile."""
    return statistics.quantiles(times, n=20)[-1]


class _House:
    """The engine and its tables; a worker that takes 20 ms, and one repository that never gets on."""

    def __init__(self, database, folder):
        self.clock = SystemClock()
        self.tasks = TaskRepository(database, self.clock)
        self.began = {}
        self.engine = DurableEngine(
            f"sqlite:///{folder}/engine.db",
            folder,
            self.work,
            self.tasks,
            TraceStore(database, self.clock, Redactor()),
            max_concurrent=4,
        )

    async def work(self, task_id, run_number, steps):
        self.began[task_id] = time.perf_counter()
        task = await self.tasks.move(task_id, TaskState.PROCESSING)
        if task.repo_key == "x/busy":
            await asyncio.Event().wait()
        await asyncio.sleep(0.02)
        await self.tasks.move(task_id, TaskState.COMPLETED)

    async def ask(self, priority=Priority.NORMAL):
        asked = time.perf_counter()
        task = (await self.tasks.create(NewTask("prompt", None, priority, {"prompt": "go"}))).task
        await self.engine.enqueue(task)
        return task.id, asked

    async def over(self, ids):
        async def ended():
            return all([(await self.tasks.find(each)).state.final for each in ids])

        await until("all are over", ended, 120)


def _rows(number, repo_key, **more):
    """Return the rows of so many tasks that are pending."""
    return [
        task_row(a_task(str(uuid.uuid4()), repo_key=repo_key(n), fingerprint=uuid.uuid4().hex, **more))
        for n in range(number)
    ]


async def _starts(folder, url, tables_on, goal, *, shares=False):
    database = await open_database(url)
    house = _House(database, folder)
    async with database.write() as connection:
        await connection.execute(insert(tables.tasks), _rows(_WAITING, lambda _: "x/busy"))
    await house.engine.start()
    try:
        asked = {}
        for number in range(_STARTS):
            task_id, at = await house.ask(Priority.URGENT if number % 10 == 0 else Priority.NORMAL)
            asked[task_id] = at
            await asyncio.sleep(_EVERY_SECONDS)
        await house.over(asked)
        waits = [house.began[task_id] - at for task_id, at in asked.items()]
        figures = [
            Figure(
                f"enqueue → start, 5,000 others waiting, {tables_on} (median)",
                statistics.median(waits) * 1e3,
                "ms",
            ),
            Figure(f"enqueue → start, 5,000 others waiting, {tables_on} (p95)", p95(waits) * 1e3, "ms", goal),
        ]
        return figures + (await _shares(house, database) if shares else [])
    finally:
        await house.engine.stop()
        await database.close()


async def _shares(house, database):
    """Fill the queues of several repositories unevenly, and see who was served while all had some left."""
    house.began.clear()
    rows = []
    for party in range(_PARTIES):
        rows += _rows(10 + 5 * party, lambda _, party=party: f"x/{party}")
    tasks = []
    async with database.write() as connection:
        await connection.execute(insert(tables.tasks), rows)
    house.engine.hold(True)
    for row in rows:
        task = await house.tasks.find(row["id"])
        tasks.append(task)
        await house.engine.enqueue(task)
    house.engine.hold(False)
    await house.over([task.id for task in tasks])
    party_of = {task.id: task.repo_key for task in tasks}
    served = Counter(party_of[task_id] for task_id in list(house.began)[: _PARTIES * 10])
    return [
        Figure(
            "10 repositories: most − fewest served in 100", max(served.values()) - min(served.values()), "", 1
        )
    ]


async def _cancels(folder):
    hangs = conversation("task", {"hang": "before", "text": "never"})
    toolbox = await asyncio.to_thread(build_toolbox, folder / "toolbox")
    times = []
    async with installed(folder / "scenario", toolbox=toolbox, conversation=hangs) as scenario:
        await scenario.start_server()
        for number in range(_CANCELS):
            body = {"prompt": "Why?", "type": "lightweight"}
            task = (await scenario.post("/v1/tasks", body, status=201))["task_id"]
            await until("asked", lambda n=number: len(scenario.messages.requests) == n + 1)
            children = [each for each in scenario.processes() if each.pid != scenario.server.pid]
            assert children
            began = time.perf_counter()
            cancelling = asyncio.create_task(scenario.post(f"/v1/tasks/{task}/cancel"))
            while any(_lives(child) for child in children):
                await asyncio.sleep(0.005)
            times.append(time.perf_counter() - began)
            await cancelling
        await scenario.leaves_nothing_behind()
    return [
        Figure("cancel → the CLI and all below it dead (median)", statistics.median(times), "s"),
        Figure("cancel → the CLI and all below it dead (p95)", p95(times), "s", 1.0),
    ]


def _lives(process):
    return process.is_running() and process.status() != "zombie"


async def _lists(folder):
    async with running(folder) as server:
        async with server.database.write() as connection:
            payload = {"prompt": "Go on. " * 300, "name": "go", "type": "lightweight"}
            more = {"kind": TaskKind.PROMPT, "payload": payload}
            await connection.execute(insert(tables.tasks), _rows(_LISTED, lambda n: f"x/{n % 50}", **more))
        times, cursor, seen = [], "", 0
        for query in (
            "state=pending",
            "state=pending&state=processing",
            "state=pending&kind=prompt&priority=normal",
        ):
            cursor, seen = "", 0
            while cursor is not None:
                began = time.perf_counter()
                more = f"&cursor={cursor}" if cursor else ""
                answer = await server.get(f"/v1/tasks?{query}&limit=200{more}")
                times.append(time.perf_counter() - began)
                page = answer.json
                seen, cursor = seen + len(page["items"]), page["next_cursor"]
            assert seen == _LISTED
    return [Figure("10,000 queued tasks: a page of 200 (p95)", p95(times) * 1e3, "ms", 50)]
