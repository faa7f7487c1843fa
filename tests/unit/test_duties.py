"""A duty that breaks off begins again, and ends when it is told to."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from ai_ops.wiring import duties


@pytest.mark.parametrize("failure", [OSError("a disk"), ValueError("a record"), KeyError("a name")])
async def test_what_nobody_foresaw_ends_no_duty(failure, caplog):
    tries, went_on = 0, asyncio.Event()

    async def run():
        nonlocal tries
        tries += 1
        if tries < 3:
            raise failure
        went_on.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(duties.unending("schedules", run, again_seconds=0))
    async with asyncio.timeout(10):
        await went_on.wait()
    assert [record.message for record in caplog.records] == ["schedules broke off, and begins again"] * 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_duty_ends_with_its_stack():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def run():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with AsyncExitStack() as stack:
        duties.begin(stack, "outbox", run)
        await begun.wait()
    assert ended.is_set()
