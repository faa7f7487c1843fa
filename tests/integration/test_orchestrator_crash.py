"""A run that is broken off anywhere ends as it would have: each effect once, nothing left behind."""

import asyncio
import contextlib

import psutil
import pytest

from ai_ops.core import model_failures as failures
from ai_ops.core.budgets import PlannedCall
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.worker import Worker
from ai_ops.core.ports import Granted
from ai_ops.engine.memory import MemorySteps
from ai_ops.errors import PermanentError
from ai_ops.flow.run import StepState
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.children import descendants, until
from tests.support.lives import lived_through

NO_FIX = {"files": {shop.MODULE_PATH: shop.BROKEN + "\n# mended\n"}}
GOOD = {"files": {shop.MODULE_PATH: shop.FIXED}}


@pytest.mark.parametrize("late", [True, False], ids=["committed", "not yet committed"])
async def test_a_repair_that_crashes_at_every_step_ends_once(workshop, late):
    # A limit of one: the run's own pull request must not count against it when it goes on.
    async with workshop(max_open_pull_requests=1) as floor:
        task = await floor.reported()
        seen = await lived_through(floor, task, late)

        task = await floor.found(task)
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        (pull,) = await floor.pulls()
        assert floor.branches() == [pull.branch]
        assert pull.body.count("passes with the fix") == 1
        assert task.pr_url == pull.url
        assert len(floor.mails()) == 1
        steps = await floor.steps(task)
        assert list(steps) == seen
        assert {step.state for step in steps.values()} == {StepState.DONE}
        assert {step.entries for step in steps.values()} == {1 if late else 2}
        asked = ["reproduce:1", "fix:1"] if late else ["reproduce:1", "reproduce:1", "fix:1", "fix:1"]
        assert floor.fixer.purposes == asked
        # A request made again is the same: the log still cannot guess it, a recorded answer still fits.
        assert len({(request.nonce, request.prompt) for request in floor.fixer.requests}) == 2
        assert (await floor.tools.trace.find_run(run_id(task.id, 1))).outcome == "completed"
        assert floor.leftovers() == []


async def test_a_crashed_run_goes_on_in_its_round_with_the_same_evidence(workshop):
    async with workshop(shop.script(NO_FIX, GOOD)) as floor:
        task = await floor.reported()
        await lived_through(floor, task, late=True)

        assert (await floor.found(task)).state is TaskState.COMPLETED
        assert floor.fixer.purposes == ["reproduce:1", "fix:1", "fix:2"]
        assert "still_failing" in floor.fixer.requests[2].prompt


async def test_a_withheld_run_that_crashes_at_every_step_sends_one_mail_and_can_be_approved(workshop):
    text = "2026-01-02 03:04:05,678 ERROR [shop] the listing is broken\n"
    async with workshop() as floor:
        task = await floor.wished(text)
        await lived_through(floor, task, late=True)
        task = await floor.found(task)
        assert (task.state, task.proof.verdict) == (TaskState.NEEDS_HUMAN_REVIEW, "unproved")
        assert len(floor.mails()) == 1

        task = await floor.done_to(task, "approve")
        await lived_through(floor, task, late=True)
        task = await floor.found(task)
        assert (task.state, len(await floor.pulls()), len(floor.mails())) == (TaskState.COMPLETED, 1, 2)


HANGS = "import time\n\n\ndef test_it():\n    time.sleep(600)\n"


def running_tests():
    """Return the processes that run a repository's tests. The paths of git's own say pytest too."""
    found = []
    for process in descendants():
        with contextlib.suppress(psutil.Error):
            found += [process] if "pytest" in process.cmdline() else []
    return found


def is_alive(child: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return child.is_running() and child.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    return False


async def test_a_cancelled_run_stops_at_once_and_leaves_nothing(workshop):
    script = shop.script(reproduce={shop.TEST_PATH: HANGS})
    script["reproduce"][0]["usage"] = {"cost_usd": 0.25}
    async with workshop(script) as floor:
        task = await floor.reported()
        await floor.engine.enqueue(task)
        children = await until("the test runs", running_tests)
        assert floor.leftovers()

        task = await floor.done_to(await floor.found(task), "cancel")
        await floor.engine.cancel(task)

        # The kernel ends what is inside a sandbox a moment after the sandbox, later where it is busy.
        await until("all of them are gone", lambda: not any(map(is_alive, children)), 5)
        assert running_tests() == []
        assert floor.leftovers() == []
        task = await floor.found(task)
        assert (task.state, task.cost_usd) == (TaskState.CANCELLED, 0.25)
        step = (await floor.steps(task))["reproduce:1"]
        assert (step.state, step.failure["code"]) == (StepState.FAILED, "cancelled")
        run = await floor.tools.trace.find_run(run_id(task.id, 1))
        assert (run.outcome, run.ended_at is not None) == ("cancelled", True)
        assert (floor.branches(), floor.mails()) == ([], [])


async def test_a_run_that_is_stopped_goes_on_where_it_was(workshop):
    """The server stops while the model is asked, and starts again."""
    async with workshop() as floor:
        ask, asked = floor.fixer.ask, asyncio.Event()

        async def hanging(request, watch):
            if request.purpose == "fix" and not asked.is_set():
                asked.set()
                await asyncio.sleep(600)
            return await ask(request, watch)

        floor.fixer.ask = hanging
        task = await floor.reported()
        await floor.engine.enqueue(task)
        await asyncio.wait_for(asked.wait(), 60)
        await floor.engine.stop()
        assert (await floor.found(task)).state is TaskState.PROCESSING
        assert floor.leftovers() == []

        await floor.engine.start()
        task = await floor.worked(task)
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        assert floor.fixer.purposes == ["reproduce:1", "fix:1"]


@pytest.mark.parametrize("verb", ["cancel", "cancel and retry"])
async def test_a_task_that_is_cancelled_while_it_waits_does_not_go_on(workshop, verb):
    """Nobody interrupts the run here: it finds out by itself."""
    async with workshop(failures=(failures.failure("model_unreachable"),)) as floor:
        task = await floor.reported()

        class Waiting:
            def __init__(self, steps):
                self.run = steps.run

            async def wait(self, seconds):
                cancelled = await floor.done_to(await floor.found(task), "cancel")
                if verb != "cancel":
                    await floor.done_to(cancelled, "retry")

        steps = Waiting(MemorySteps(floor.tools.trace, run_id(task.id, 1)))
        with pytest.raises(asyncio.CancelledError):
            await Worker(floor.tools)(task.id, 1, steps)
        now = await floor.found(task)
        assert now.state is (TaskState.CANCELLED if verb == "cancel" else TaskState.PENDING)
        assert len(floor.fixer.requests) == 1


async def test_what_a_run_had_set_aside_is_settled_though_its_task_is_pending_again(workshop):
    """A restart sets a task back to pending; what was asked for by the life before is lost all the same."""

    class Ends:
        async def run(self, *_):
            raise PermanentError("broken", "nothing works")

    async with workshop() as floor:
        task = await floor.reported()
        run = run_id(task.id, 1)
        asked = PlannedCall(run, run_usd=5.0, model="opus", least_usd=0.1, most_usd=4.0)
        assert isinstance(await floor.tools.ledger.reserve(asked), Granted)
        assert (await floor.tools.ledger.spent(run)).run == 4.0
        await Worker(floor.tools)(task.id, 1, Ends())
        assert (await floor.tools.ledger.spent(run)).run == pytest.approx(0.1, abs=0.05)


async def test_a_run_that_nobody_wants_any_more_is_not_begun(workshop):
    async with workshop() as floor:
        task = await floor.reported()
        cancelled = await floor.done_to(task, "cancel")
        await floor.done_to(cancelled, "retry")
        await Worker(floor.tools)(task.id, 1, MemorySteps(floor.tools.trace, run_id(task.id, 1)))
        await Worker(floor.tools)("no-such-task", 1, MemorySteps(floor.tools.trace, "none"))
        assert (floor.fixer.requests, await floor.tools.trace.find_run(run_id(task.id, 1))) == ([], None)
