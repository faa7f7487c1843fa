"""What every keeper of the queue's pause does: one prober at a time, whoever asks at the same moment."""

import asyncio

import pytest

from ai_ops.core.pausing import PROBE
from ai_ops.errors import TemporaryError
from ai_ops.store.database import open_database
from ai_ops.store.memory import MemoryPauses
from ai_ops.store.pauses import PauseRepository
from tests.support import postgres
from tests.support.store import migrated_url

LIMIT = TemporaryError("model_session_limit", "limited", delay=900.0)


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
async def pauses(request, clock):
    if request.param == "memory":
        yield MemoryPauses(clock)
        return
    if request.param == "sqlite":
        url = migrated_url(request.getfixturevalue("tmp_path"))
    else:
        url = postgres.renewed(request.getfixturevalue("postgres_url"))
    database = await open_database(url)
    yield PauseRepository(database, clock, "account")
    await database.close()


async def test_without_a_limit_everybody_may_ask(pauses):
    assert await pauses.current() is None
    assert await pauses.enter("r1") is None


async def test_a_limit_pauses_everybody(pauses, clock):
    pause = await pauses.meet("r1", LIMIT)
    assert await pauses.current() == pause
    assert (pause.until - clock.now()).total_seconds() == 900
    assert await pauses.enter("r1") == await pauses.enter("r2") == pause


async def test_after_the_pause_exactly_one_of_many_may_try(pauses, clock):
    await pauses.meet("r1", LIMIT)
    clock.forward(900)
    seen = await asyncio.gather(*(pauses.enter(f"r{number}") for number in range(8)))
    assert len({pause.prober for pause in seen}) == 1
    assert sum(pause.prober == f"r{number}" for number, pause in enumerate(seen)) == 1


async def test_the_probers_answer_ends_it_and_no_other(pauses, clock):
    await pauses.meet("r1", LIMIT)
    clock.forward(900)
    await pauses.enter("r2")
    await pauses.end("r1")
    assert await pauses.current() is not None
    await pauses.end("r2")
    assert await pauses.current() is None
    await pauses.end("r2")


async def test_a_probe_that_meets_the_limit_prolongs_it(pauses, clock):
    await pauses.meet("r1", LIMIT)
    clock.forward(900)
    await pauses.enter("r2")
    pause = await pauses.meet("r2", LIMIT)
    assert (pause.failures, pause.prober) == (2, "")
    assert (pause.until - clock.now()).total_seconds() == 900


async def test_a_prober_that_gives_up_or_dies_is_followed_by_another(pauses, clock):
    await pauses.meet("r1", LIMIT)
    clock.forward(900)
    await pauses.enter("r2")
    await pauses.give_up("r1")
    assert (await pauses.enter("r1")).prober == "r2"
    await pauses.give_up("r2")
    assert (await pauses.enter("r1")).prober == "r1"
    clock.forward(PROBE.total_seconds())
    assert (await pauses.enter("r3")).prober == "r3"


async def test_giving_up_without_a_pause_is_harmless(pauses):
    await pauses.give_up("r1")
    assert await pauses.current() is None


# --- what only a database can show ---


async def test_a_pause_outlives_the_process_and_belongs_to_its_account(store_url, clock):
    database = await open_database(store_url)
    pause = await PauseRepository(database, clock, "one").meet("r1", LIMIT)
    await database.close()
    database = await open_database(store_url)
    assert await PauseRepository(database, clock, "one").current() == pause
    other = PauseRepository(database, clock, "another")
    assert await other.enter("r1") is None
    await other.meet("r1", TemporaryError("model_overloaded", "busy", delay=1.0))
    assert await PauseRepository(database, clock, "one").current() == pause
    await database.close()
