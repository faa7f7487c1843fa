"""One thread, one transaction at a time: what a caller who goes away leaves behind."""

import asyncio
import sqlite3
import threading

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError

from ai_ops.store.lane import Lane


@pytest.fixture
async def engine(tmp_path):
    made = create_engine(
        f"sqlite:///{tmp_path}/x.db",
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 0.2},
    )
    event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE rows (n INTEGER)"))
    yield made
    made.dispose()


@pytest.fixture
async def lane(engine):
    made = Lane(engine, "test", sqlite3.Connection.interrupt)
    yield made
    await made.end()


async def numbers(lane):
    async with lane.transaction() as transaction:
        return (await transaction.execute(text("SELECT n FROM rows ORDER BY n"))).scalars().all()


async def cancelled_in(lane, work, began):
    """Cancel a caller while its work is under way in the thread."""

    async def call():
        async with lane.transaction() as transaction:
            await transaction.run(work)

    caller = asyncio.create_task(call())
    await asyncio.to_thread(began.wait)
    caller.cancel()
    return caller


async def test_rows_are_there_after_the_transaction(lane):
    async with lane.transaction() as transaction:
        await transaction.execute(text("INSERT INTO rows VALUES (:n)"), [{"n": 1}, {"n": 2}])
    async with lane.transaction() as transaction:
        found = await transaction.execute(text("SELECT n FROM rows"))
    assert [row.n for row in found] == [1, 2]


async def test_a_change_says_how_many_rows_it_met(lane):
    async with lane.transaction() as transaction:
        await transaction.execute(text("INSERT INTO rows VALUES (1), (2)"))
        assert (await transaction.execute(text("DELETE FROM rows WHERE n > 1"))).rowcount == 1


async def test_an_exception_takes_everything_back(lane):
    async def call():
        async with lane.transaction() as transaction:
            await transaction.execute(text("INSERT INTO rows VALUES (1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await call()
    assert await numbers(lane) == []


async def test_a_lane_that_has_ended_says_so_as_a_lost_connection_does(lane):
    await lane.end()
    with pytest.raises(ConnectionError, match="closed"):
        await numbers(lane)


async def test_a_statement_of_a_cancelled_caller_is_taken_back_before_the_next_transaction(lane):
    began, end = threading.Event(), threading.Event()

    def slow(connection):
        connection.execute(text("INSERT INTO rows VALUES (1)"))
        began.set()
        end.wait()

    caller = await cancelled_in(lane, slow, began)
    asyncio.get_running_loop().call_later(0.05, end.set)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await numbers(lane) == []


async def test_a_caller_cancelled_again_and_again_leaves_no_transaction_open(lane, engine):
    began, end = threading.Event(), threading.Event()

    def slow(_connection):
        began.set()
        end.wait()

    caller = await cancelled_in(lane, slow, began)
    for _ in range(3):  # while it interrupts, and while it waits for the end of the transaction
        await asyncio.sleep(0.02)
        caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    end.set()
    other = Lane(engine, "other", sqlite3.Connection.interrupt)
    await lane.end()
    async with other.transaction() as transaction:  # the file is not locked
        await transaction.execute(text("INSERT INTO rows VALUES (1)"))
    await other.end()


async def test_a_caller_cancelled_while_it_begins_leaves_no_transaction_open(lane, engine):
    began, end = threading.Event(), threading.Event()

    def hold(_connection):
        began.set()
        end.wait()

    event.listen(engine, "begin", hold)

    async def call():
        async with lane.transaction():
            raise AssertionError("never reached")

    caller = asyncio.create_task(call())
    await asyncio.to_thread(began.wait)
    caller.cancel()
    end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    event.remove(engine, "begin", hold)
    assert await numbers(Lane(engine, "other", sqlite3.Connection.interrupt)) == []


ENDLESS = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")


async def test_a_statement_without_end_is_interrupted_when_its_caller_is_cancelled(lane):
    began = threading.Event()

    def endless(connection):
        began.set()
        connection.execute(ENDLESS)

    caller = await cancelled_in(lane, endless, began)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(caller, 30)
    assert await numbers(lane) == []


async def test_a_lane_that_ends_interrupts_and_takes_back_what_is_open(lane, engine):
    began = threading.Event()

    def endless(connection):
        connection.execute(text("INSERT INTO rows VALUES (1)"))
        began.set()
        connection.execute(ENDLESS)

    async def call():
        async with lane.transaction() as transaction:
            await transaction.run(endless)

    caller = asyncio.create_task(call())
    await asyncio.to_thread(began.wait)
    await lane.end()
    with pytest.raises((ConnectionError, OperationalError)):
        await caller
    other = Lane(engine, "other", sqlite3.Connection.interrupt)
    assert await numbers(other) == []
    await other.end()


async def test_a_transaction_that_is_over_writes_into_no_other(lane):
    async with lane.transaction() as first:
        pass
    async with lane.transaction():
        with pytest.raises(RuntimeError, match="over"):
            await first.execute(text("INSERT INTO rows VALUES (1)"))
    assert await numbers(lane) == []


async def test_work_that_stops_an_iteration_does_not_leave_its_caller_waiting(lane):
    async def call():
        async with lane.transaction() as transaction:
            await transaction.run(lambda _: next(iter(())))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(call(), 30)


async def test_one_look_is_a_transaction_of_its_own(lane):
    def insert(connection, number):
        connection.execute(text("INSERT INTO rows VALUES (:n)"), {"n": number})
        return number

    def fail(connection):
        insert(connection, 2)
        raise ZeroDivisionError

    assert await lane.once(insert, 1) == 1
    with pytest.raises(ZeroDivisionError):
        await lane.once(fail)
    assert await numbers(lane) == [1]


async def test_one_look_without_end_is_interrupted_when_its_caller_is_cancelled(lane):
    began = threading.Event()

    def endless(connection):
        connection.execute(text("INSERT INTO rows VALUES (1)"))
        began.set()
        connection.execute(ENDLESS)

    caller = asyncio.create_task(lane.once(endless))
    await asyncio.to_thread(began.wait)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await numbers(lane) == []
