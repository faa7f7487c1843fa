"""Parts of a step side by side: when one fails, the other is over before the step is entered again.

Both use folders of their run, and a part that was left at work would write into what the next entry made.
"""

import asyncio

import pytest

from ai_ops.errors import TemporaryError
from ai_ops.flow.task import TaskState
from tests.support import shop

pytestmark = pytest.mark.usefixtures("remembered_suites")

TASK = {"task": [{"answer": "Done.", "summary": "It is written.", "files": {"notes/a.md": "hello\n"}}]}
PROPOSED = {"prompt": "?", "type": "medium_context", "pull_request": True}
BUSY = TemporaryError("storage_unavailable", "busy")


class Beside:
    """Makes one part of a step fail, once, while the part beside it is at work and does not end by itself.

    ``over`` says of each later beginning of that other part whether the first had come to its end.
    """

    def __init__(self, fails, goes_on):
        self.fails, self.goes_on = fails, goes_on
        self.begun, self.ended, self.failed, self.over = asyncio.Event(), asyncio.Event(), False, []

    async def meet(self, name):
        """Come to the part ``name``."""
        if name == self.fails and not self.failed:
            await asyncio.wait_for(self.begun.wait(), 30)
            self.failed = True
            raise BUSY
        if name != self.goes_on:
            return
        if self.begun.is_set():
            self.over.append(self.ended.is_set())
            return
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    def reports_of(self, floor):
        """Come to each run of tests by the name of its report."""
        run, put = floor.tools.suites.run, floor.tools.trace.put_artifact

        async def suite(checkout, plan, *, out, **more):
            await self.meet(out.name.removeprefix("report-"))
            return await run(checkout, plan, out=out, **more)

        async def keep(run_id, name, *more):
            if name.removesuffix("-report") == self.fails:
                await self.meet(self.fails)
            await put(run_id, name, *more)

        floor.tools.suites.run, floor.tools.trace.put_artifact = suite, keep

    def checkouts_of(self, floor):
        """Come to each checkout by its name."""
        ensure = floor.tools.workspaces.ensure

        async def checkout(run_id, name, *more):
            await self.meet(name)
            return await ensure(run_id, name, *more)

        floor.tools.workspaces.ensure = checkout


@pytest.mark.parametrize(
    ("comes_to", "fails", "goes_on"),
    [
        pytest.param(Beside.reports_of, "reproduction-again", "suite-before", id="runs on the base"),
        pytest.param(Beside.reports_of, "suite-after-1", "reproduction-after-1", id="runs with a fix"),
        pytest.param(Beside.checkouts_of, "base", "proved", id="checkouts for the guard"),
    ],
)
async def test_what_a_repair_does_beside_what_fails_is_over_before_it_is_done_again(
    workshop, comes_to, fails, goes_on
):
    async with workshop(shop.script()) as floor:
        beside = Beside(fails, goes_on)
        comes_to(beside, floor)
        task = await floor.repaired()
    assert (task.state, task.proof.verdict, len(floor.waits)) == (TaskState.COMPLETED, "proved", 1)
    assert beside.over == [True]


@pytest.mark.parametrize(
    ("comes_to", "fails", "goes_on"),
    [
        pytest.param(Beside.reports_of, "suite-before", "suite-after", id="runs"),
        pytest.param(Beside.checkouts_of, "base", "after", id="checkouts for the guard"),
    ],
)
async def test_what_a_prompt_task_does_beside_what_fails_is_over_before_it_is_done_again(
    workshop, comes_to, fails, goes_on
):
    async with workshop(TASK) as floor:
        beside = Beside(fails, goes_on)
        comes_to(beside, floor)
        task = await floor.worked(await floor.prompted(**PROPOSED))
    assert (task.state, len(floor.waits)) == (TaskState.COMPLETED, 1)
    assert beside.over == [True]
