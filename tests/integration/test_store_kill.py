"""kill -9 while events are taken in: nothing acknowledged is lost, nothing is doubled or half there."""

import random
import subprocess
import sys
import time

from sqlalchemy import func, select, text

from ai_ops.core.ports import TaskFilter
from ai_ops.store import tables
from ai_ops.store.database import open_database
from ai_ops.store.issues import IssueRepository
from ai_ops.store.tasks import TaskRepository
from tests.support.store import FixedClock, sqlite_url


def acknowledged_until_killed(url: str, after_lines: int) -> set[str]:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.store_child", url], stdout=subprocess.PIPE, text=True
    )
    lines = [child.stdout.readline() for _ in range(after_lines)]
    time.sleep(random.random() / 50)
    child.kill()
    lines += child.stdout.read().splitlines(keepends=True)
    child.wait()
    return {line.strip() for line in lines if line.endswith("\n")}


async def test_no_acknowledged_event_is_lost_when_the_process_is_killed(tmp_path):
    url = sqlite_url(tmp_path)
    acknowledged: set[str] = set()
    for _ in range(4):
        acknowledged |= acknowledged_until_killed(url, random.randrange(1, 60))
    database = await open_database(url)
    async with database.read() as connection:
        stored = set((await connection.execute(select(tables.events.c.event_id))).scalars())
        counted = (await connection.execute(select(func.sum(tables.issues.c.count)))).scalar_one()
        assert (await connection.execute(text("PRAGMA integrity_check"))).scalar_one() == "ok"
    assert len(acknowledged) >= 20
    assert acknowledged <= stored
    assert counted == len(stored)
    assert len((await IssueRepository(database, FixedClock()).list()).items) == 3
    assert len((await TaskRepository(database, FixedClock()).list(TaskFilter())).items) == 3
    await database.close()
