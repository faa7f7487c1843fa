"""Readiness is asked at most once a second, whoever asks and however many."""

import asyncio

import pytest

from ai_ops.errors import TemporaryError
from ai_ops.server.readiness import Readiness


class Asked:
    """Counts how often it is asked."""

    def __init__(self):
        self.times = 0
        self.failure = None

    async def __call__(self):
        self.times += 1
        await asyncio.sleep(0)
        if self.failure:
            raise self.failure


async def test_a_thousand_callers_at_once_are_one_question():
    asked, time = Asked(), [100.0]
    readiness = Readiness(asked, lambda: time[0])
    await asyncio.gather(*(readiness.check() for _ in range(1000)))
    assert asked.times == 1
    time[0] = 100.9
    await readiness.check()
    assert asked.times == 1
    time[0] = 101.0
    await readiness.check()
    assert asked.times == 2


async def test_a_failure_is_told_to_all_and_asked_again_after_a_second():
    asked, time = Asked(), [0.0]
    asked.failure = TemporaryError("storage_unavailable", "away")
    readiness = Readiness(asked, lambda: time[0])
    answers = await asyncio.gather(*(readiness.check() for _ in range(9)), return_exceptions=True)
    assert {answer.code for answer in answers} == {"storage_unavailable"}
    assert asked.times == 1
    asked.failure, time[0] = None, 1.0
    await readiness.check()
    asked.failure = TemporaryError("storage_unavailable", "away again")
    await readiness.check()
    time[0] = 2.0
    with pytest.raises(TemporaryError):
        await readiness.check()
