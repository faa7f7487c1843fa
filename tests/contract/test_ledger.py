"""What every ledger does: money is set aside before a call, judged over run, hour and day, settled once."""

import asyncio

import pytest
from sqlalchemy.event import listen

from ai_ops.core.budgets import AT_WORK, Budget, Budgets, PlannedCall, Spent, Stop
from ai_ops.core.ports import Granted
from ai_ops.store import ledger as module
from ai_ops.store.database import open_database
from ai_ops.store.ledger import LedgerRepository
from ai_ops.store.memory import MemoryLedger
from tests.support import postgres
from tests.support.store import START, migrated_url, sqlite_url

HOUR = 3600
BUDGETS = Budgets(hour_usd=5.0, day_usd=20.0)


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
async def ledger(request, clock):
    if request.param == "memory":
        yield MemoryLedger(clock, BUDGETS)
        return
    if request.param == "sqlite":
        url = migrated_url(request.getfixturevalue("tmp_path"))
    else:
        url = postgres.renewed(request.getfixturevalue("postgres_url"))
    database = await open_database(url)
    yield LedgerRepository(database, clock, BUDGETS)
    await database.close()


def call(run="r1", least=0.5, most=1.0, run_usd=100.0):
    return PlannedCall(run, run_usd, "claude-opus-5-5", least, most)


async def granted(ledger, planned=None):
    answer = await ledger.reserve(planned or call())
    assert isinstance(answer, Granted), answer
    return answer


async def stop(ledger, planned=None):
    answer = await ledger.reserve(planned or call())
    assert isinstance(answer, Stop), answer
    return answer


async def test_what_is_set_aside_counts_until_it_is_settled(ledger):
    first = await granted(ledger)
    assert first.usd == 1.0
    assert await ledger.spent("r1") == Spent(1.0, 1.0, 1.0, 1.0, 1.0)
    await ledger.settle(first.number, 0.25)
    assert await ledger.spent("r1") == Spent(0.25, 0.25, 0.25, 0.0, 0.0)
    assert await ledger.spent("another") == Spent(0.0, 0.25, 0.25, 0.0, 0.0)


async def test_a_call_that_cost_nothing_gives_everything_back(ledger):
    await ledger.settle((await granted(ledger)).number, 0.0)
    assert await ledger.spent("r1") == Spent()


async def test_a_call_is_settled_once(ledger):
    first, second = await granted(ledger), await granted(ledger)
    await ledger.settle(first.number, 0.25)
    await ledger.settle(first.number, 0.75)
    await ledger.settle(second.number, 0.5)
    assert (await ledger.spent("r1")).run == 0.75


async def test_a_call_gets_what_is_left_and_the_next_one_nothing(ledger):
    assert (await granted(ledger, call(run_usd=1.75))).usd == 1.0
    assert (await granted(ledger, call(run_usd=1.75))).usd == 0.75
    assert await stop(ledger, call(run_usd=1.75)) == Stop(Budget.RUN, 1.75, START)
    assert (await granted(ledger, call("another", run_usd=1.75))).usd == 1.0


async def test_a_run_is_judged_over_all_its_days(ledger, clock):
    for _ in range(4):
        await ledger.settle((await granted(ledger, call(run_usd=2.0))).number, 0.4)
        clock.forward(24 * HOUR)
    assert (await stop(ledger, call(run_usd=2.0))).budget is Budget.RUN


async def test_an_hour_is_shared_by_all_runs_and_ends(ledger, clock):
    for number in range(5):
        await ledger.settle((await granted(ledger, call(f"r{number}"))).number, 1.0)
    spent = await stop(ledger)
    assert (spent.budget, spent.limit_usd) == (Budget.HOUR, 5.0)
    clock.forward((spent.until - clock.now()).total_seconds())
    assert (await granted(ledger)).usd == 1.0
    assert (await ledger.spent("r1")).hour == 1.0


async def test_a_day_is_shared_by_all_runs_and_ends(ledger, clock):
    for _ in range(4):
        for number in range(5):
            await ledger.settle((await granted(ledger, call(f"r{number}"))).number, 1.0)
        clock.forward(HOUR)
    spent = await stop(ledger)
    assert (spent.budget, spent.limit_usd) == (Budget.DAY, 20.0)
    clock.forward((spent.until - clock.now()).total_seconds())
    assert (await granted(ledger)).usd == 1.0


async def test_money_that_calls_at_work_hold_may_come_back_soon(ledger, clock):
    numbers = [(await granted(ledger, call(f"r{number}"))).number for number in range(5)]
    waits = (await stop(ledger)).until - clock.now()
    assert 0 < waits.total_seconds() <= 60
    for number in numbers:
        await ledger.settle(number, 0.1)
    assert (await granted(ledger)).usd == 1.0


async def test_a_call_whose_end_nobody_saw_counts_with_what_was_set_aside(ledger, clock):
    for number in range(5):
        await granted(ledger, call(f"r{number}"))
    clock.forward(AT_WORK.total_seconds() + 1)
    assert await ledger.spent("r1") == Spent(1.0, 5.0, 5.0, 0.0, 0.0)
    assert (await stop(ledger)).until.hour == START.hour + 1


async def test_calls_at_the_same_moment_never_get_more_than_there_is(ledger):
    wanted = [call(f"r{number}", least=0.1, most=3.0) for number in range(8)]
    answers = await asyncio.gather(*map(ledger.reserve, wanted))
    assert sum(answer.usd for answer in answers if isinstance(answer, Granted)) == 5.0
    assert (await ledger.spent("r1")).hour == 5.0


# --- what only a database can show ---


async def test_two_processes_on_one_database_never_spend_the_same_money(store_url, clock):
    databases = [await open_database(store_url) for _ in range(2)]
    ledgers = [LedgerRepository(database, clock, BUDGETS) for database in databases] * 8
    answers = await asyncio.gather(*(each.reserve(call(least=0.1, most=0.75)) for each in ledgers))
    assert sum(answer.usd for answer in answers if isinstance(answer, Granted)) == pytest.approx(5.0)
    for database in databases:
        await database.close()


async def test_what_was_set_aside_outlives_the_process(store_url, clock):
    database = await open_database(store_url)
    await granted(LedgerRepository(database, clock, BUDGETS))
    await database.close()
    database = await open_database(store_url)
    assert (await LedgerRepository(database, clock, BUDGETS).spent("r1")).run == 1.0
    await database.close()


async def test_sums_are_read_from_an_index_however_many_calls_there_were(tmp_path, clock):
    database = await open_database(sqlite_url(tmp_path))
    asked = []

    def explain(connection):
        listen(connection, "before_cursor_execute", lambda *a: asked.append((a[2], a[3])))
        module._spent(connection, "r1", clock.now())
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values) for sql, values in asked[:2]]
        return [row[-1] for plan in plans for row in plan]

    async with database.read() as connection:
        plans = await connection.run(explain)
    assert [plan.partition(" (")[0] for plan in plans] == [
        "SEARCH model_calls USING COVERING INDEX ix_model_calls_run_id",
        "SEARCH model_calls USING COVERING INDEX ix_model_calls_at",
    ]
    await database.close()


@pytest.mark.parametrize(
    ("seconds", "counts"), [(0, 0.5), (16, 0.55), (3 * HOUR, 1.0)], ids=["at once", "soon", "late"]
)
async def test_a_call_whose_process_died_counts_by_the_time_that_it_can_have_taken(
    ledger, clock, seconds, counts
):
    await granted(ledger)
    done = await granted(ledger, call(least=0.1, most=0.2))
    await ledger.settle(done.number, 0.125)
    await granted(ledger, call("another"))
    clock.forward(seconds)
    await ledger.settle_lost("r1")
    assert (await ledger.spent("r1")).run == pytest.approx(counts + 0.125)
    assert (await ledger.spent("another")).run == 1.0
    clock.forward(60)
    await ledger.settle_lost("r1")
    assert (await ledger.spent("r1")).run == pytest.approx(counts + 0.125)
