"""Checks of health on real tables, outbox and file: told once, mended, and told past a dead database."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from ai_ops.core.orchestrator.crew import Crew
from ai_ops.core.tally import Tally
from ai_ops.flow.health import Reached
from ai_ops.integrations.alert_file import AlertFile
from ai_ops.integrations.reachability import reach
from ai_ops.store import tables
from ai_ops.store.database import open_database
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.tasks import TaskRepository
from ai_ops.workspace.host_use import look
from ai_ops.workspace.process_trees import ProcessNursery
from tests.support.oversight import GB, WELL, Measures, an_oversight
from tests.support.store import FixedClock, sqlite_url


class Installation:
    """An installation whose host says what a test lets it say."""

    def __init__(self, folder, database, clock):
        self.folder, self.database, self.clock = folder, database, clock
        self.measures = Measures()
        self.outbox = OutboxRepository(database)
        self.start()

    def start(self):
        self.oversight = an_oversight(
            self.folder,
            self.database,
            Crew(1, self.clock, ProcessNursery(), Tally()),
            TaskRepository(self.database, self.clock),
            None,
            self.outbox,
            self.clock,
            measures=self.measures,
            recipients=("on-call@example.test",),
        )
        self.health = self.oversight.health

    async def subjects(self):
        return [each.subject for each in reversed((await self.outbox.list()).items)]

    def lines(self):
        file = self.folder / "alerts.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
async def installation(tmp_path):
    database = await open_database(sqlite_url(tmp_path))
    yield Installation(tmp_path, database, FixedClock())
    await database.close()


async def test_an_alert_is_told_when_it_opens_and_when_it_is_over_and_not_between(installation):
    installation.measures.host = replace(WELL, disk_free=4 * GB)
    for _ in range(3):
        await installation.health.look()
    installation.measures.host = WELL
    for _ in range(3):
        await installation.health.look()
    opened, over = await installation.subjects()
    assert "P2 disk: something is wrong" in opened and "P2 disk: well again" in over
    [kept] = (await installation.oversight.alerts.list()).items
    assert (kept.state, kept.seen, kept.severity) == ("resolved", 3, "P2") and kept.resolved_at
    assert [(line["news"], line["key"]) for line in installation.lines()] == [
        ("opened", "disk"), ("resolved", "disk"),
    ]  # fmt: skip
    assert (installation.folder / "alerts.jsonl").stat().st_mode & 0o777 == 0o600


async def test_a_server_that_starts_again_goes_on_with_its_open_alerts(installation):
    installation.measures.host = replace(WELL, disk_free=4 * GB)
    await installation.health.look()
    installation.start()
    await installation.health.look()
    assert len(await installation.subjects()) == 1
    [alert] = installation.health.open_alerts()
    assert alert.seen == 2


async def test_a_low_disk_is_cleaned_at_once_and_the_alert_says_so_but_not_each_minute(installation):
    cleaned = []

    async def repair():
        cleaned.append(1)
        return "old data was removed: 3 traces"

    installation.health._repairs["disk"] = repair
    installation.measures.host = replace(WELL, disk_free=4 * GB)
    for _ in range(3):
        await installation.health.look()
    assert len(cleaned) == 1
    [alert] = installation.health.open_alerts()
    assert alert.repair == "old data was removed: 3 traces"
    assert [line["repair"] for line in installation.lines()] == [alert.repair]
    installation.clock.forward(3601)
    await installation.health.look()
    assert len(cleaned) == 2 and installation.lines()[-1]["news"] == "repaired"


async def test_a_dead_database_is_told_past_the_outbox(installation):
    await installation.health.look()
    path = next(installation.folder.rglob("ai_ops.db"))
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await installation.health.look()
        await installation.health.look()
        [mail] = (installation.folder / "outbox").rglob("*.eml")
        assert b"P1 database" in mail.read_bytes()
        assert [line["key"] for line in installation.lines()] == ["database"]
        other.execute("ROLLBACK")
    await installation.health.look()
    await installation.health.look()
    assert "well again" in (await installation.subjects())[-1]
    assert installation.health.open_alerts() == []


async def test_a_peer_that_is_no_longer_asked_has_no_alert_any_more(installation):
    async def away():
        return Reached("refused")

    installation.measures.peers["github"] = away
    for _ in range(2):
        await installation.health.look()
    assert [alert.key for alert in installation.health.open_alerts()] == ["github"]
    installation.measures.peers.clear()
    for _ in range(2):
        await installation.health.look()
    assert installation.health.open_alerts() == []


async def test_the_file_of_alerts_is_rotated_and_all_of_it_is_for_its_owner_alone(tmp_path):
    file = AlertFile(tmp_path / "a" / "alerts.jsonl", most_bytes=100, kept=3)
    for number in range(20):
        await file.append({"number": number, "words": "é" * 3})
    files = sorted((tmp_path / "a").iterdir())
    assert [path.name for path in files] == ["alerts.jsonl", "alerts.jsonl.1", "alerts.jsonl.2"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    read = [json.loads(line)["number"] for path in reversed(files) for line in path.read_text().splitlines()]
    assert read == list(range(read[0], 20)) and all(path.stat().st_size <= 100 for path in files)


async def test_a_file_of_alerts_that_cannot_be_written_is_told_in_the_log(tmp_path, caplog):
    (tmp_path / "alerts.jsonl").symlink_to(tmp_path / "elsewhere")
    await AlertFile(tmp_path / "alerts.jsonl").append({})
    assert "alerts.jsonl cannot be written" in caplog.text and not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(("status", "failure"), [(200, ""), (401, ""), (404, ""), (503, "it answers 503")])
async def test_any_answer_but_a_failure_of_its_own_is_one(aiohttp_server, status, failure):
    from aiohttp import web

    async def answer(_):
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/", answer)
    server = await aiohttp_server(app)
    reached = await reach(str(server.make_url("/")))
    assert reached.failure == failure and reached.its_time is not None


async def test_a_peer_that_is_not_there_is_named_without_its_address(unused_tcp_port):
    reached = await reach(f"http://127.0.0.1:{unused_tcp_port}/secret")
    assert reached.failure and "secret" not in reached.failure and reached.its_time is None


def test_a_real_host_can_be_measured(tmp_path):
    found = look(tmp_path / "data")
    assert 0 < found.disk_free <= found.disk_total
    assert found.memory_total is None or 0 < found.memory_available <= found.memory_total


def test_the_tables_of_alerts_are_those_of_all_tables():
    assert "alerts" in tables.metadata.tables


async def test_a_data_folder_that_cannot_be_looked_at_is_an_alert_and_no_end_of_the_watch(installation):
    installation.measures.unseen = OSError(5, "Input/output error")
    await installation.health.look()
    await installation.health.look()
    found = {alert.key: alert.text for alert in installation.health.open_alerts()}
    assert found["database"] == "the data folder cannot be looked at: Input/output error"
    assert "disk" in found
    installation.measures.unseen = None
    await installation.health.look()
    await installation.health.look()
    assert installation.health.open_alerts() == []
