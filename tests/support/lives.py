"""A run that crashes at each of its steps, one after the other, and goes on each time."""

from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.worker import Worker
from ai_ops.engine.memory import MemorySteps


class Crash(BaseException):
    """The process is gone, as far as the code can tell."""


class OneLife:
    """Steps that crash once they have done one step for the first time.

    ``late`` crashes after the step's outcome is committed, else before it is: the work is done then.
    """

    def __init__(self, steps, seen, late):
        self._steps, self._seen, self._late = steps, seen, late

    async def run(self, name, round, work):
        step = f"{name}:{round}"
        first = step not in self._seen

        async def done_and_gone():
            await work()
            self._seen.append(step)
            raise Crash

        outcome = await self._steps.run(name, round, done_and_gone if first and not self._late else work)
        if first and self._late:
            self._seen.append(step)
            raise Crash
        return outcome

    async def wait(self, seconds):
        raise AssertionError("nothing is to be waited for")


async def lived_through(floor, task, late):
    """Work on a task with a crash at each step, and return the steps in the order of crashes."""
    seen = []
    for _ in range(30):
        steps = OneLife(MemorySteps(floor.tools.trace, run_id(task.id, task.run_number)), seen, late)
        try:
            await Worker(floor.tools)(task.id, task.run_number, steps)
        except Crash:
            continue
        return seen
    raise AssertionError("the run does not end")
