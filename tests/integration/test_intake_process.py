"""Events taken in by the process beside the server, without it, and when one of them is killed (-9)."""

import asyncio
import collections
import contextlib
import random
import signal
import sqlite3
import threading
import time
import uuid

import psutil
import pytest

from ai_ops.store.database import open_database
from ai_ops.store.issues import MANY, IssueRepository
from ai_ops.store.tasks import TaskRepository
from tests.contract.test_process_lane import is_there, until
from tests.support.local_server import LocalServer
from tests.support.store import FixedClock, event, migrated_url, pairs

KEEP_ALL = {
    "EVENTS_PER_MINUTE_PER_NODE": "0",
    "EVENTS_PER_MINUTE_PER_ISSUE": "0",
    "SPIKE_TASKS_PER_HOUR": "1",
}


@pytest.fixture
async def issues(tmp_path):
    database = await open_database(migrated_url(tmp_path))
    made = IssueRepository(database, FixedClock())
    made.tasks = TaskRepository(database, FixedClock())
    yield made
    await database.close()


def many(number=MANY):
    return [event(n % 5) for n in range(number)]


async def test_few_events_need_no_process(issues):
    await issues.ingest(pairs(*many(MANY - 1)))
    assert issues._process._living is None


async def test_many_events_bring_a_process_that_takes_what_comes_then(issues):
    first, second = many(), many(3)
    await issues.ingest(pairs(*first))
    await until(lambda: issues._process.pid)
    answer = await issues.ingest(pairs(*second, event(9)))
    assert (answer.accepted, answer.duplicates) == (4, 0)
    (task,) = answer.tasks
    assert await issues.tasks.find(task.id) == task
    again = await issues.ingest(pairs(*first, *second))
    assert (again.accepted, again.duplicates) == (0, MANY + 3)
    assert sum(issue.count for issue in (await issues.list()).items) == MANY + 4


def there_again(process, killed):
    process._not_before = 0.0
    process.begin()
    return process.pid not in (None, *killed)


async def test_when_the_process_is_killed_the_same_events_are_taken_without_it(issues):
    await issues.ingest(pairs(*many()))
    killed = []
    for _ in range(3):
        await until(lambda: there_again(issues._process, killed))
        killed.append(issues._process.pid)
        batches = [many(20) for _ in range(10)]
        callers = [asyncio.create_task(issues.ingest(pairs(*batch))) for batch in batches]
        await asyncio.sleep(random.random() / 50)
        psutil.Process(killed[-1]).kill()
        answers = await asyncio.gather(*callers)
        # One that was committed and not answered comes again, as a duplicate.
        assert [a.accepted + a.duplicates for a in answers] == [20] * 10
    assert sum(issue.count for issue in (await issues.list()).items) == MANY + 600


def beside(server):
    """Return the process beside a server, if it is there."""
    for child in psutil.Process(server.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ends while we look
            if any("lane_process" in word for word in child.cmdline()):
                return child
    return None


def found_beside(server):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if child := beside(server):
            return child
        time.sleep(0.05)
    raise AssertionError("no process beside the server")


def wire(server, number):
    frame = f'  File "app/m{number}.py", line 3, in run'
    text = f"Traceback (most recent call last):\n{frame}\nAppError{number}: bad\n"
    return {
        "schema_version": 1,
        "event_id": str(uuid.uuid4()),
        "occurred_at": "2026-03-01T12:00:00Z",
        "repo": {"repo_url": str(server.remote), "code_host": "local"},
        "error": {"raw_excerpt": text},
        "node": "n1",
    }


def counts(server):
    """Return how many events each issue counts, and how many events are stored."""
    with sqlite3.connect(f"file:{server.folder}/data/ai_ops.db?mode=ro", uri=True) as connection:
        counted = connection.execute("SELECT sum(count) FROM issues").fetchone()[0]
        stored = connection.execute("SELECT count(*), count(DISTINCT event_id) FROM events").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    return counted, *stored


def test_a_server_loses_and_doubles_nothing_when_the_process_beside_it_is_killed(tmp_path):
    with LocalServer(tmp_path, **KEEP_ALL) as server:
        said = collections.Counter()
        ended, killed = threading.Event(), []

        def send():
            for _ in range(30):
                batch = [wire(server, number % 7) for number in range(100)]
                answer = server.call("/v1/events", {"events": batch})
                assert answer["rejected"] == []
                said.update(accepted=answer["accepted"], duplicates=answer["duplicates"])

        def kill():
            while not ended.is_set():
                if child := beside(server):
                    child.kill()
                    killed.append(child.pid)
                time.sleep(random.random() / 10)

        clients = [threading.Thread(target=send) for _ in range(4)]
        killer = threading.Thread(target=kill)
        for thread in (*clients, killer):
            thread.start()
        for client in clients:
            client.join()
        ended.set()
        killer.join()
        assert killed
        assert said.total() == 12_000
        assert counts(server) == (12_000, 12_000, 12_000)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_it_when_the_server_ends(tmp_path, how):
    server = LocalServer(tmp_path, **KEEP_ALL)
    server.start()
    server.call("/v1/events", {"events": [wire(server, number % 7) for number in range(100)]})
    child = found_beside(server)
    server.stop(how)
    deadline = time.monotonic() + 10
    while is_there(child.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_there(child.pid)
