"""Transactions in a process beside this one: committed or not there, in turn with others, never left over."""

import asyncio
import logging
import os
import signal
import threading

import psutil
import pytest
from sqlalchemy import make_url, select

from ai_ops.store import lane_life, process_lane, tables
from ai_ops.store.lane_life import ProcessEndedError
from ai_ops.store.process_lane import ProcessLane
from tests.support.lane_works import Writing


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def begun(lane):
    lane.begin()
    await until(lambda: lane.pid)
    return lane.pid


@pytest.fixture
async def lane(database):
    made = database.beside(Writing())
    await begun(made)
    return made


async def keys(database):
    names = tables.queue_gates.c.name
    async with database.read() as connection:
        return (await connection.execute(select(names).order_by(names))).scalars().all()


async def write(database, key):
    async with database.write() as connection:
        await connection.run(lambda c: Writing()(c, "go", key))


def is_there(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_what_it_returns_is_committed_by_another_process(database, lane):
    assert await lane.once("go", "a") == (lane.pid, 1)
    assert lane.pid != os.getpid()
    assert await keys(database) == ["a"]


async def test_it_is_the_same_work_all_the_time(lane):
    await lane.once("go", "a")
    assert (await lane.once("go", "b"))[1] == 2


@pytest.mark.parametrize("order", ["fault", "full"])
async def test_when_the_work_fails_nothing_is_written_and_the_process_ends(database, lane, order, caplog):
    with pytest.raises(ProcessEndedError):
        await lane.once(order, "a")
    assert lane.pid is None
    assert await keys(database) == []
    await write(database, "b")
    await until(lambda: "ended with 1" in caplog.text)


async def test_the_log_says_where_the_work_failed_and_not_what_it_worked_on(lane, caplog):
    with pytest.raises(ProcessEndedError):
        await lane.once("fault", "a")
    await until(lambda: "LookupError" in caplog.text)
    assert "lane_works.py" in caplog.text
    assert "of ours" not in caplog.text.replace('raise LookupError("a fault of ours")', "")


async def test_what_cannot_be_sent_is_not_written(database, lane):
    with pytest.raises((TypeError, AttributeError)):
        await lane.once("go", lambda: "a")
    assert await keys(database) == []
    await write(database, "b")


async def test_one_that_cannot_connect_is_never_ready(database, tmp_path, caplog):
    lane = ProcessLane(make_url(f"sqlite:///{tmp_path}/nowhere/x.db"), Writing(), database._turn)
    lane.begin()
    await until(lambda: lane._living.done())
    assert lane.pid is None
    assert "OperationalError" in caplog.text
    with pytest.raises(ProcessEndedError):
        await lane.once("go", "a")


def test_it_gets_what_drivers_read_of_the_environment_and_no_keys(monkeypatch):
    for name in ("PGPASSWORD", "PGSSLROOTCERT", "KRB5CCNAME", "HOME", "SERVER_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "x")
    found = lane_life._environment()
    assert {"PGPASSWORD", "PGSSLROOTCERT", "KRB5CCNAME", "HOME"} <= found.keys()
    assert not {"SERVER_API_KEY", "GITHUB_TOKEN"} & found.keys()


async def test_one_that_stands_still_holds_nobody_up_for_ever(database, lane, monkeypatch, caplog):
    monkeypatch.setattr(lane._life, "_limit", 0.3)
    os.kill(lane.pid, signal.SIGSTOP)
    pid, callers = lane.pid, [asyncio.create_task(lane.once("go", key)) for key in "ab"]
    await asyncio.sleep(0)
    await write(database, "c")
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ProcessEndedError, ProcessEndedError]
    assert not is_there(pid)
    assert await keys(database) == ["c"]
    assert "gave no answer for 0.3 seconds" in caplog.text
    before = lane._life
    lane.begin()
    assert lane._life is before  # it may do the same again: not at once


async def test_who_waits_behind_another_has_all_its_time(database, lane, monkeypatch, tmp_path):
    monkeypatch.setattr(lane._life, "_limit", 1.0)
    first = asyncio.create_task(lane.once("pause", "a", str(tmp_path / "began"), str(tmp_path / "on")))
    await until((tmp_path / "began").exists)
    second = asyncio.create_task(lane.once("pause", "b", str(tmp_path / "next"), str(tmp_path / "next on")))
    await asyncio.sleep(0.7)
    (tmp_path / "on").touch()
    await asyncio.sleep(0.7)
    (tmp_path / "next on").touch()
    assert [(await first)[1], (await second)[1]] == [1, 2]
    assert await keys(database) == ["a", "b"]


async def test_one_that_stands_still_while_it_starts_is_given_up(database, monkeypatch, caplog):
    monkeypatch.setattr(process_lane, "_LIMIT_SECONDS", 0.5)
    lane = database.beside(Writing())
    lane.begin()
    await until(lambda: lane._life.pid)
    os.kill(lane._life.pid, signal.SIGSTOP)
    await until(lane._living.done)
    assert lane.pid is None
    assert "gave no answer" in caplog.text


async def test_a_number_that_was_its_own_once_is_not_killed(database, monkeypatch):
    lane = ProcessLane(database._url, Writing(), database._turn, idle_seconds=0.1)
    killed = []
    await begun(lane)
    await until(lane._living.done)
    monkeypatch.setattr(lane_life, "kill_group", killed.append)
    await lane.end()
    assert killed == []


async def test_after_its_end_it_is_not_started_again(database):
    lane = database.beside(Writing())
    lane.begin()
    await lane.end()
    lane.begin()
    await asyncio.sleep(0)
    assert lane._living.done()
    assert lane.pid is None


async def test_a_process_that_dies_takes_what_it_had_not_committed_with_it(database, lane, caplog):
    with pytest.raises(ProcessEndedError):
        await lane.once("die", "a")
    with pytest.raises(ProcessEndedError):
        await lane.once("go", "b")
    await write(database, "c")  # nothing holds the lock
    assert await keys(database) == ["c"]
    assert lane.pid is None
    await until(lambda: "ended with -9" in caplog.text)


async def test_all_who_are_under_way_learn_that_it_died(database, lane):
    callers = [asyncio.create_task(lane.once(order, key)) for order, key in (("die", "a"), ("go", "b"))]
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ProcessEndedError, ProcessEndedError]
    await write(database, "c")
    assert await keys(database) == ["c"]


async def test_after_it_died_it_is_not_started_again_and_again(lane, monkeypatch):
    with pytest.raises(ProcessEndedError):
        await lane.once("die", "a")
    await until(lambda: lane._living.done())
    lane.begin()
    assert lane._living.done()
    monkeypatch.setattr(lane, "_not_before", 0.0)
    await begun(lane)
    assert await lane.once("go", "b")


async def test_callers_at_once_are_answered_each_with_its_own_in_their_order(database, lane):
    answers = await asyncio.gather(*(lane.once("go", f"{number:03}") for number in range(200)))
    assert [calls for _, calls in answers] == list(range(1, 201))
    assert len(await keys(database)) == 200


async def test_the_next_is_handed_over_while_one_is_under_way(lane, tmp_path):
    first = asyncio.create_task(lane.once("pause", "a", str(tmp_path / "began"), str(tmp_path / "on")))
    await until((tmp_path / "began").exists)
    second = asyncio.create_task(lane.once("go", "b"))
    await until(lambda: lane._under_way == 2)
    (tmp_path / "on").touch()
    assert [(await first)[1], (await second)[1]] == [1, 2]


async def test_who_waits_for_the_writers_turn_is_not_passed_by(database, lane, tmp_path):
    order = []

    async def noted(name, work):
        await work
        order.append(name)

    first = noted("first", lane.once("pause", "a", str(tmp_path / "began"), str(tmp_path / "on")))
    tasks = [asyncio.create_task(first)]
    await until((tmp_path / "began").exists)
    tasks.append(asyncio.create_task(noted("other", write(database, "b"))))
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(noted(f"later {n}", lane.once("go", f"c{n}"))) for n in range(3)]
    await asyncio.sleep(0.1)
    assert order == []
    (tmp_path / "on").touch()
    await asyncio.gather(*tasks)
    assert order == ["first", "other", "later 0", "later 1", "later 2"]


async def test_a_caller_who_goes_away_leaves_nothing_half_done(database, lane, tmp_path):
    pid = lane.pid
    caller = asyncio.create_task(lane.once("pause", "a", str(tmp_path / "began"), str(tmp_path / "on")))
    await until((tmp_path / "began").exists)
    waiting = asyncio.create_task(write(database, "b"))
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not is_there(pid)
    await waiting
    assert await keys(database) == ["b"]


async def test_a_caller_who_is_cancelled_again_and_again_frees_the_turn_only_at_the_end(lane, tmp_path):
    pid = lane.pid
    pause = lane.once("pause", "a", str(tmp_path / "began"), str(tmp_path / "on"))
    callers = [asyncio.create_task(pause), asyncio.create_task(lane.once("go", "b"))]
    await until((tmp_path / "began").exists)
    turn = asyncio.create_task(lane._turn.acquire())
    while not turn.done():
        for caller in callers:
            caller.cancel()
        await asyncio.sleep(0)
    assert not is_there(pid)
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError, asyncio.CancelledError]
    lane._turn.release()


async def test_nothing_is_left_of_a_life(database, lane, tmp_path):
    life = lane._life
    caller = asyncio.create_task(lane.once("pause", "a", str(tmp_path / "began"), str(tmp_path / "on")))
    await until((tmp_path / "began").exists)
    caller.cancel()
    await asyncio.wait([caller])
    await until(lambda: life._line.closed)
    await until(lambda: not [one for one in threading.enumerate() if "process-lane" in one.name])
    assert not lane._turn._lock.locked()


async def test_closing_the_database_ends_it(database, lane, tmp_path):
    pid = lane.pid
    caller = asyncio.create_task(lane.once("pause", "a", str(tmp_path / "began"), str(tmp_path / "on")))
    await until((tmp_path / "began").exists)
    await database.close()
    assert not is_there(pid)
    with pytest.raises(ProcessEndedError):
        await caller
    lane.begin()
    await asyncio.sleep(0)
    assert lane.pid is None


async def test_it_can_be_closed_while_it_starts(database):
    lane = database.beside(Writing())
    lane.begin()
    await asyncio.sleep(0.05)
    await database.close()
    assert lane._living.done()


async def test_it_ends_by_itself_when_nobody_needs_it_and_comes_back(database, caplog):
    caplog.set_level(logging.WARNING)
    lane = ProcessLane(database._url, Writing(), database._turn, idle_seconds=0.2)
    first = await begun(lane)
    await until(lambda: lane.pid is None)
    assert not is_there(first)
    assert caplog.text == ""
    await begun(lane)
    assert await lane.once("go", "a")
    await lane.end()


async def test_signals_that_end_the_server_do_not_end_it_first(lane):
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(lane.pid, number)
    assert await lane.once("go", "a")


async def test_one_that_does_not_start_is_done_without(database, monkeypatch, caplog):
    monkeypatch.setattr(lane_life.sys, "executable", "/nonexistent/python")
    lane = database.beside(Writing())
    lane.begin()
    await until(lambda: lane._living.done())
    assert "did not start" in caplog.text
    with pytest.raises(ProcessEndedError):
        await lane.once("go", "a")


async def test_the_address_of_the_database_is_in_no_command_line(lane, store_url):
    words = " ".join(psutil.Process(lane.pid).cmdline() + list(psutil.Process(lane.pid).environ().values()))
    assert store_url.rsplit("/", 1)[0] not in words
