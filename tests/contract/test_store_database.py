"""Opening, migrating and losing the database."""

import asyncio
import contextlib
import sqlite3
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text

from ai_ops.core.clock import SystemClock
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.store import migrate, tables
from ai_ops.store.database import open_database
from ai_ops.store.issues import IssueRepository
from ai_ops.store.retention import Retention
from tests.support import postgres
from tests.support.store import APP, START, FixedClock, event, pairs, sqlite_url

KEY = {"key": "k", "task_id": "t", "created_at": START}
PATCH = {"run_id": "r", "name": "n", "patch": b"x", "created_at": START}


@pytest.fixture
async def database(tmp_path):
    made = await open_database(sqlite_url(tmp_path))
    yield made
    await made.close()


async def test_the_migrations_lead_to_the_tables_that_the_code_uses(database):
    def differences(connection):
        metadata = tables.metadata
        context = MigrationContext.configure(connection, opts={"target_metadata": metadata})
        return compare_metadata(context, metadata)

    async with database.write() as connection:
        assert await connection.run(differences) == []


async def back_to(revision, database):
    """Make a database one of an earlier version, and close it."""

    def back(connection):
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
        config.attributes["connection"] = connection
        command.downgrade(config, revision)

    async with database.write() as connection:
        await connection.run(back)
    await database.close()


async def test_releases_from_before_it_was_known_when_they_are_seen_are_taken_as_seen_now(store_url):
    database = await open_database(store_url)
    some = [(replace(one, release=name), APP) for one, name in ((event(1), "v1"), (event(2), "v2"))]
    for pair in some:
        await IssueRepository(database, FixedClock()).ingest([pair])
    await back_to("0003", database)
    database = await open_database(store_url)
    await Retention(database, SystemClock(), 1, 0).sweep()
    async with database.read() as connection:
        assert (await connection.execute(select(tables.releases.c.release))).scalars().all() == ["v1", "v2"]
    await database.close()


async def test_issues_from_before_there_were_merges_keep_their_fingerprints(tmp_path):
    path = tmp_path / "data" / "ai_ops.db"
    database = await open_database(sqlite_url(tmp_path))
    await IssueRepository(database, FixedClock()).ingest(pairs(event(1), event(2)))

    await back_to("0001", database)
    with contextlib.closing(sqlite3.connect(path)) as plain:
        names = {row[0] for row in plain.execute("SELECT name FROM sqlite_master")}
    assert "issue_fingerprints" not in names
    database = await open_database(sqlite_url(tmp_path))
    issues = IssueRepository(database, FixedClock())
    assert (await issues.ingest(pairs(event(1), event(2)))).tasks == ()
    assert [issue.count for issue in (await issues.list()).items] == [2, 2]
    await database.close()


async def test_opening_again_keeps_everything_and_processes_may_open_at_once(tmp_path):
    opened = await asyncio.gather(*(open_database(sqlite_url(tmp_path)) for _ in range(4)))
    async with opened[0].write() as connection:
        await connection.execute(insert(tables.patches), PATCH)
    async with opened[3].read() as connection:
        assert (await connection.execute(select(tables.patches.c.patch))).scalar_one() == b"x"
    await asyncio.gather(*(one.close() for one in opened))


async def test_the_folder_and_the_files_are_the_owners_alone(tmp_path, database):
    async with database.write() as connection:
        await connection.execute(insert(tables.patches), PATCH)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert "ai_ops.db-wal" in modes
    assert set(modes.values()) == {0o600}


async def test_commits_are_synced_and_keys_are_checked(database):
    async with database.read() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar_one() == value
    with pytest.raises(PermanentError, match="storage_failed"):
        async with database.write() as connection:
            await connection.execute(insert(tables.idempotency_keys), KEY)


async def test_an_exception_takes_back_the_whole_transaction(database):
    async def broken():
        async with database.write() as connection:
            await connection.execute(insert(tables.patches), PATCH)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await broken()
    async with database.read() as connection:
        assert (await connection.execute(select(tables.patches))).all() == []


async def test_a_change_of_one_trip_is_written_whole_or_not_at_all(database):
    def patch(connection, fails):
        connection.execute(insert(tables.patches), PATCH)
        if fails:
            raise RuntimeError
        return "written"

    def patches(connection):
        return len(connection.execute(select(tables.patches)).all())

    with pytest.raises(RuntimeError):
        await database.change(patch, True)
    assert await database.look(patches) == 0
    assert await database.change(patch, False) == "written"
    assert await database.look(patches) == 1


async def test_a_cancelled_change_leaves_no_half_and_the_turn_to_the_next(database):
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection):
        connection.execute(insert(tables.patches), PATCH)
        begun.set()
        go_on.wait(30)
        connection.execute(insert(tables.patches), {**PATCH, "name": "second"})

    change = asyncio.create_task(database.change(slow))
    await asyncio.to_thread(begun.wait, 30)
    change.cancel()
    await database.look(lambda connection: connection.execute(text("SELECT 1")))  # readers go on
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await change
    async with database.write() as connection:
        assert len((await connection.execute(select(tables.patches))).all()) in (0, 2)


async def test_a_cancelled_writer_leaves_the_turn_to_the_next(database):
    async def slow():
        async with database.write() as connection:
            await connection.execute(insert(tables.patches), PATCH)
            await asyncio.sleep(60)

    writer = asyncio.create_task(slow())
    await asyncio.sleep(0.05)
    writer.cancel()
    async with database.write() as connection:
        assert (await connection.execute(select(tables.patches))).all() == []


async def test_when_all_readers_are_busy_the_next_is_told_to_come_back(store_url, monkeypatch):
    monkeypatch.setattr("ai_ops.store.database.WAIT_SECONDS", 0.1)
    database = await open_database(store_url)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(database.read())
        with pytest.raises(TemporaryError, match="storage_unavailable"):
            await stack.enter_async_context(database.read())
    async with database.read() as connection:
        assert (await connection.execute(select(tables.patches))).all() == []
    await database.close()


async def test_a_database_that_closes_waits_for_the_write_that_is_under_way(store_url):
    database = await open_database(store_url)
    async with database.write() as connection:
        await connection.execute(insert(tables.patches), PATCH)
        closing = asyncio.create_task(database.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
    await closing
    with pytest.raises(TemporaryError, match="storage_unavailable"):
        async with database.read():
            pass
    again = await open_database(store_url)
    async with again.read() as connection:
        assert len((await connection.execute(select(tables.patches))).all()) == 1
    await again.close()


async def test_a_write_that_does_not_end_is_taken_back_when_the_database_closes(store_url, monkeypatch):
    monkeypatch.setattr("ai_ops.store.database._CLOSE_SECONDS", 0.1)
    database = await open_database(store_url)

    async def hold():
        async with database.write() as connection:
            await connection.execute(insert(tables.patches), PATCH)
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0.1)
    await database.close()
    again = await open_database(store_url)  # nothing is locked
    async with again.write() as connection:
        assert (await connection.execute(select(tables.patches))).all() == []
    await again.close()
    holder.cancel()
    with pytest.raises((asyncio.CancelledError, TemporaryError)):
        await holder


async def test_a_writer_that_waits_for_another_servers_can_be_cancelled(postgres_url):
    url = postgres.renewed(postgres_url)
    one, other = await open_database(url), await open_database(url)
    async with other.write():
        waiting = asyncio.create_task(IssueRepository(one, FixedClock()).release_waiting())
        await asyncio.sleep(0.2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 30)
        await one.close()
    await other.close()


async def test_readers_see_one_state_while_a_writer_works(database):
    async with database.read() as reading:
        before = (await reading.execute(select(tables.patches))).all()
        async with database.write() as connection:
            await connection.execute(insert(tables.patches), PATCH)
        assert (await reading.execute(select(tables.patches))).all() == before


async def test_a_database_locked_by_another_is_a_failure_that_may_pass(tmp_path, database, monkeypatch):
    async with database.write() as connection:
        await connection.execute(text("PRAGMA busy_timeout=50"))
    other = sqlite3.connect(tmp_path / "data" / "ai_ops.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryError, match="storage_unavailable"):
        async with database.write() as connection:
            await connection.execute(insert(tables.patches), PATCH)
    other.execute("ROLLBACK")
    other.close()
    async with database.write() as connection:
        await connection.execute(insert(tables.patches), PATCH)


async def test_a_damaged_file_is_named_and_not_overwritten(tmp_path):
    path = tmp_path / "damaged.db"
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(TemporaryError, match="storage_unavailable"):
        await open_database(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"this is no database")


async def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TemporaryError, match="storage_unavailable"):
        await open_database(f"sqlite:///{tmp_path}/file/ai_ops.db")


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "://", "postgresql://h:port/x"]
)
async def test_a_url_that_leads_nowhere_is_refused_with_the_right_form(url):
    with pytest.raises(PermanentError) as refused:
        await open_database(url)
    assert refused.value.code == "storage_url_invalid"
    assert "sqlite:///" in refused.value.next_step


async def test_an_unreachable_server_may_come_back():
    with pytest.raises(TemporaryError, match="storage_unavailable"):
        await open_database("postgresql://127.0.0.1:9/none?connect_timeout=2")


async def test_a_moment_without_a_zone_is_a_fault_of_the_caller(database):
    with pytest.raises(PermanentError, match="storage_failed"):
        async with database.write() as connection:
            await connection.execute(
                insert(tables.patches), {**PATCH, "created_at": START.replace(tzinfo=None)}
            )


async def test_when_the_disk_is_full_nothing_is_acknowledged_and_later_it_works(database):
    issues = IssueRepository(database, FixedClock())
    async with database.write() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count={pages + 2}"))
    with pytest.raises(TemporaryError) as failed:
        await issues.ingest(pairs(*(event(n) for n in range(200))))
    assert failed.value.code == "storage_unavailable"
    assert failed.value.delay
    assert (await issues.list()).items == ()
    async with database.write() as connection:
        await connection.execute(text("PRAGMA max_page_count=1000000"))
    assert (await issues.ingest(pairs(event()))).accepted == 1
