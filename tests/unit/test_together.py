"""What is done side by side ends side by side: nothing of it goes on when the rest has failed."""

from __future__ import annotations

import asyncio

import pytest

from ai_ops.core.orchestrator.together import together
from ai_ops.errors import TemporaryError


class Part:
    """Work that does not end by itself; it notes how it began and that it ended, and may end badly."""

    def __init__(self, ends_with=None, takes=0):
        self.begun, self.broken_off, self.ended = asyncio.Event(), 0, False
        self.ends_with, self.takes = ends_with, takes

    async def work(self):
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.broken_off += 1
            for _ in range(self.takes):
                await asyncio.sleep(0)
            self.ended = True
            if self.ends_with:
                raise self.ends_with


async def after(part, outcome):
    await part.begun.wait()
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


async def value(of):
    await asyncio.sleep(0)
    return of


async def test_results_come_in_the_order_of_the_work():
    assert await together(value(1), value(2), value(3)) == [1, 2, 3]
    assert await together() == []


@pytest.mark.parametrize("failure", [TemporaryError("storage_unavailable", "busy"), ValueError("ours")])
async def test_the_first_failure_is_raised_as_it_is_and_only_when_the_rest_is_over(failure):
    failure.__cause__ = cause = OSError("a disk")
    part = Part(takes=5)
    with pytest.raises(type(failure)) as caught:
        await together(part.work(), after(part, failure))
    assert (caught.value, caught.value.__cause__) == (failure, cause)
    assert (part.ended, part.broken_off) == (True, 1)


async def test_what_ends_badly_because_of_the_first_failure_does_not_take_its_place():
    part = Part(ends_with=ValueError("later"))
    with pytest.raises(TemporaryError, match="storage_unavailable"):
        await together(part.work(), after(part, TemporaryError("storage_unavailable", "busy")))


async def test_of_several_failures_at_once_one_is_raised_and_none_is_left_unheard(caplog):
    part = Part()
    failures = [after(part, ValueError(name)) for name in ("one", "two")]
    with pytest.raises(ValueError, match="one"):
        await together(*failures, part.work())
    assert part.ended
    assert not caplog.records


@pytest.mark.parametrize("ends_with", [None, ValueError("a bad end")], ids=["well", "badly"])
async def test_who_is_cancelled_is_cancelled_and_nothing_goes_on(ends_with):
    parts = [Part(ends_with, takes=3), Part(takes=9)]
    going = asyncio.create_task(together(*(part.work() for part in parts)))
    for part in parts:
        await part.begun.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert [(part.ended, part.broken_off) for part in parts] == [(True, 1), (True, 1)]
