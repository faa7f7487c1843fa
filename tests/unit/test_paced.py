"""Many runs meet one limit: the API is not asked again before its end, and then by one of them."""

import asyncio
from dataclasses import replace

import pytest

from ai_ops.core import model_failures as failures
from ai_ops.core.orchestrator.paced import PacedFixer
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.fixing import FixAnswer
from ai_ops.flow.run import Usage
from ai_ops.store.memory import MemoryPauses
from tests.support.claude_calls import fix_request
from tests.support.store import FixedClock

ANSWER = FixAnswer("yes", Usage())
RUNS = [f"r{number}" for number in range(8)]


class Model:
    """A fixer that answers, or fails with, what it is told; ``asked`` are the runs that reached it."""

    def __init__(self):
        self.asked = []
        self.says = [ANSWER]
        self.words = False
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, request, watch):
        self.asked.append(request.run_id)
        says = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if self.words:
            await watch("text", {"text": "hm"})
        await self.open.wait()
        if isinstance(says, str):
            raise failures.failure(says)
        if isinstance(says, BaseException):
            raise says
        return says


def limit(delay=900.0, code="model_session_limit"):
    return failures.failure(code, delay=delay)


class Floor:
    def __init__(self):
        self.clock, self.model = FixedClock(), Model()
        self.pauses = MemoryPauses(self.clock)
        self.fixer = PacedFixer(self.model, self.pauses, self.clock)
        self.seen = []

    async def ask(self, run):
        async def watch(kind, data):
            self.seen.append(kind)

        return await self.fixer.ask(replace(fix_request(None), run_id=run), watch)

    async def failure(self, run):
        with pytest.raises(AiOpsError) as caught:
            await self.ask(run)
        return caught.value

    async def limited(self, *says):
        """Have the first run meet a limit; then the model says what is given."""
        self.model.says = [says[0], *says[1:]] if len(says) > 1 else [says[0], ANSWER]
        return await self.failure("r0")


@pytest.fixture
def floor():
    return Floor()


async def test_without_a_limit_every_run_is_answered(floor):
    assert await asyncio.gather(*map(floor.ask, RUNS)) == [ANSWER] * 8
    assert await floor.pauses.current() is None


async def test_a_limit_keeps_every_other_run_from_asking_until_its_end(floor):
    assert (await floor.limited(limit())).delay == 900
    floor.clock.forward(600)
    for run in RUNS:
        waits = await floor.failure(run)
        assert (waits.code, waits.delay) == ("model_session_limit", 300)
    assert floor.model.asked == ["r0"]


async def test_a_pause_ends_with_one_probe_whose_first_word_lets_the_others_in(floor):
    await floor.limited(limit())
    floor.clock.forward(900)
    floor.model.open.clear()
    probe = asyncio.create_task(floor.ask("r5"))
    await asyncio.sleep(0)
    waits = await asyncio.gather(*(floor.failure(run) for run in RUNS if run != "r5"))
    assert floor.model.asked == ["r0", "r5"]
    assert all(0 < wait.delay <= 30 for wait in waits)

    floor.model.open.set()
    assert await probe == ANSWER
    assert await asyncio.gather(*map(floor.ask, RUNS)) == [ANSWER] * 8


async def test_the_first_word_is_enough_the_answer_may_take_its_time(floor):
    await floor.limited(limit())
    floor.clock.forward(900)
    floor.model.words = True
    floor.model.open.clear()
    probe = asyncio.create_task(floor.ask("r5"))
    while not floor.seen:
        await asyncio.sleep(0)
    assert await floor.pauses.current() is None
    floor.model.open.set()
    await probe


@pytest.mark.parametrize("code", ["model_overloaded", "model_rate_limited"])
async def test_probes_that_meet_the_limit_again_come_at_ever_longer_intervals(floor, code):
    floor.model.says = [code]
    asked_at = []
    for _ in range(600):  # ten minutes of eight runs that look every second
        for run in RUNS:
            before = len(floor.model.asked)
            await floor.failure(run)
            if len(floor.model.asked) > before:
                asked_at.append((floor.clock.now() - floor.pauses._pause.since).total_seconds())
        floor.clock.forward(1)
    assert asked_at == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511]


async def test_requests_that_were_under_way_meet_the_limit_without_prolonging_a_stated_end(floor):
    floor.model.says = [limit(900.0)]
    floor.model.open.clear()
    asking = [asyncio.create_task(floor.failure(run)) for run in RUNS]
    await asyncio.sleep(0)
    floor.model.open.set()
    assert {(await each).delay for each in asking} == {900.0}
    pause = await floor.pauses.current()
    assert (pause.failures, pause.wait_seconds("r1", floor.clock.now())) == (1, 900)


async def test_a_limit_of_a_second_while_an_hour_is_waited_for_waits_the_hour(floor):
    await floor.limited(limit(3600.0))
    late = limit(1.0, "model_rate_limited")
    await floor.fixer._begin("r1", late)
    assert late.delay == 3600


@pytest.mark.parametrize(
    "other",
    [
        TemporaryError("model_unreachable", "cut"),
        PermanentError("model_refused", "no"),
        ZeroDivisionError(),
        failures.failure("daily_budget_spent"),
    ],
    ids=lambda each: type(each).__name__ + getattr(each, "code", ""),
)
async def test_a_probe_that_fails_otherwise_lets_another_run_try(floor, other):
    await floor.limited(limit(), other, ANSWER)
    floor.clock.forward(900)
    with pytest.raises(type(other)):
        await floor.ask("r1")
    assert await floor.pauses.current() is not None
    assert await floor.ask("r2") == ANSWER
    assert await floor.pauses.current() is None


async def test_a_probe_that_is_cancelled_lets_another_run_try(floor):
    await floor.limited(limit())
    floor.clock.forward(900)
    floor.model.open.clear()
    probe = asyncio.create_task(floor.ask("r1"))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    floor.model.open.set()
    assert await floor.ask("r2") == ANSWER


@pytest.mark.parametrize(
    "failure", [failures.failure("model_auth_failed"), limit(9.0, "hourly_budget_spent")]
)
async def test_other_failures_pause_nobody(floor, failure):
    assert await floor.limited(failure) is failure
    assert await floor.pauses.current() is None
