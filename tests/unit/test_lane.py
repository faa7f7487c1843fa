"""One thread, one transaction at a time: what a caller who goes away leaves behind."""

import asyncio
import threading

import pytest
from sqlalchemy import create_engine, event, text

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
    made = Lane(engine, "test")
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


async def test_a_caller_cancelled_twice_leaves_no_transaction_open(lane, engine):
    began, end = threading.Event(), threading.Event()

    def slow(_connection):
        began.set()
        end.wait()

    caller = await cancelled_in(lane, slow, began)
    await asyncio.sleep(0)
    caller.cancel()  # while it waits for the end of the transaction
    with pytest.raises(asyncio.CancelledError):
        await caller
    end.set()
    other = Lane(engine, "other")
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
    assert await numbers(Lane(engine, "other")) == []
