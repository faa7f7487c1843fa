"""The crew: the workers that there are, what each is at, and when it last showed life.

A run sits down with the first free worker as it begins, gets up while it waits, and every step, word of the
model and output of a process is a sign of life. The engine decides whose turn it is; this only looks on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ai_ops.core.identity import run_id
from ai_ops.core.ports import ChildTree, Clock, Fixer, Nursery, Outcome, Steps, Tasks, TreeUse
from ai_ops.core.ports import Worker as Work
from ai_ops.core.tally import Tally
from ai_ops.errors import AiOpsError
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch
from ai_ops.flow.run import Usage
from ai_ops.flow.task import Task, TaskState
from ai_ops.flow.worker import Loss, WorkerState, WorkerStatus

_AT_WORK = (TaskState.PROCESSING, TaskState.RETRYING, TaskState.WAITING_UNBAN)


@dataclass(slots=True, eq=False)
class Post:
    """A run that works, and the worker it works with."""

    number: int
    task: Task
    run: str
    since: datetime
    alive_at: float
    children: ChildTree
    step: str = ""
    replacing: bool = False
    use: TreeUse = field(default_factory=TreeUse)
    cpu_percent: float = 0.0
    words: int = 0
    looked_at: float = 0.0


class Crew:
    """The workers of this process.

    Args:
        size: how many there are.
        clock: the time.
        nursery: tells the processes of one from those of another.
        tally: what they do is counted here.
        monotonic: seconds that only grow.
    """

    def __init__(
        self,
        size: int,
        clock: Clock,
        nursery: Nursery,
        tally: Tally,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = size
        self.tally = tally
        self._clock = clock
        self._nursery = nursery
        self._now = monotonic
        self._posts: dict[int, Post] = {}
        self._lost: dict[int, tuple[int, Loss]] = {}

    def posts(self) -> Sequence[Post]:
        """Return those that work, by number."""
        return [self._posts[number] for number in sorted(self._posts)]

    def statuses(self) -> Sequence[WorkerStatus]:
        """Return all, by number."""
        return [self.status(number) for number in range(1, max(self.size, *self._posts, 0) + 1)]

    def status(self, number: int) -> WorkerStatus:
        """Return one as it was last looked at."""
        replaced, loss = self._lost.get(number, (0, None))
        post = self._posts.get(number)
        if post is None:
            return WorkerStatus(number, replaced=replaced, last_loss=loss)
        return WorkerStatus(
            number,
            WorkerState.REPLACING if post.replacing else WorkerState.WORKING,
            post.task.id,
            post.run,
            post.task.kind,
            post.step,
            post.since,
            max(0.0, self._now() - post.alive_at),
            post.use.memory_bytes,
            post.cpu_percent,
            post.use.processes,
            replaced,
            loss,
        )

    def beat(self, run: str) -> None:
        """Note a sign of life of a run."""
        for post in self._posts.values():
            if post.run == run:
                post.alive_at = self._now()

    def kind_of(self, run: str) -> str:
        """Return the kind of the task whose run is at work, empty when it is not."""
        return next((post.task.kind.value for post in self._posts.values() if post.run == run), "")

    async def look(self, post: Post) -> None:
        """See what a worker uses; what has changed is a sign of life."""
        use, words, now = await asyncio.to_thread(post.children.look), post.children.words, self._now()
        used, passed = use.cpu_seconds - post.use.cpu_seconds, now - post.looked_at
        if use.cpu_seconds != post.use.cpu_seconds or words != post.words:
            post.alive_at = now
        post.cpu_percent = max(0.0, 100.0 * used / passed) if post.looked_at and passed else 0.0
        post.use, post.words, post.looked_at = use, words, now

    def lose(self, post: Post, loss: Loss) -> None:
        """Note that a worker is replaced."""
        post.replacing = True
        self._lost[post.number] = (self._lost.get(post.number, (0, loss))[0] + 1, loss)
        self.tally.losses[(loss.reason.value,)] += 1

    @contextmanager
    def sit(self, task: Task, run: str) -> Iterator[_Chair]:
        """Give a run a worker while entered."""
        with self._nursery.gather() as children:
            chair = _Chair(self, task, run, children)
            chair.take()
            try:
                yield chair
            finally:
                chair.leave()

    def seat(self, task: Task, run: str, children: ChildTree) -> Post:
        """Return a post with the first free worker."""
        number = next(n for n in range(1, len(self._posts) + 2) if n not in self._posts)
        post = Post(number, task, run, self._clock.now(), self._now(), children)
        self._posts[number] = post
        return post

    def rise(self, post: Post) -> None:
        """Free a worker; harmless when it is."""
        if self._posts.get(post.number) is post:
            del self._posts[post.number]


class _Chair:
    """Where one run sits, now with one worker and after a wait perhaps with another."""

    def __init__(self, crew: Crew, task: Task, run: str, children: ChildTree) -> None:
        self._crew = crew
        self._task = task
        self._run = run
        self._children = children
        self.post: Post | None = None

    def take(self) -> None:
        self.post = self._crew.seat(self._task, self._run, self._children)

    def leave(self) -> None:
        if self.post is not None:
            self._crew.rise(self.post)
            self.post = None

    def at(self, step: str) -> None:
        """Note the step that the run is at, empty between two."""
        if self.post is not None:
            self.post.step = step
            self._crew.beat(self._run)


class WatchedSteps:
    """Steps that are timed and shown. They are those of another ``Steps``."""

    def __init__(self, steps: Steps, chair: _Chair, tally: Tally) -> None:
        self._steps = steps
        self._chair = chair
        self._tally = tally

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do it there; ``work`` is timed where it is called."""

        async def timed() -> Outcome:
            started, outcome = time.monotonic(), "failed"
            try:
                done = await work()
                outcome = "done"
            finally:
                self._tally.step(name, outcome, time.monotonic() - started)
            return done

        self._chair.at(name if round <= 1 else f"{name} ({round})")
        try:
            return await self._steps.run(name, round, timed)
        finally:
            self._chair.at("")

    async def wait(self, seconds: float) -> None:
        """Wait there, without a worker."""
        self._chair.leave()
        await self._steps.wait(seconds)
        self._chair.take()


class WatchedWorker:
    """Lets each run of another ``Worker`` sit with the crew, and counts how it ended."""

    def __init__(self, worker: Work, tasks: Tasks, crew: Crew) -> None:
        self._worker = worker
        self._tasks = tasks
        self._crew = crew

    async def __call__(self, task_id: str, run_number: int, steps: Steps) -> None:
        """Work on one run of a task."""
        task = await self._tasks.find(task_id)
        if task is None:
            return
        try:
            with self._crew.sit(task, run_id(task_id, run_number)) as chair:
                await self._worker(task_id, run_number, WatchedSteps(steps, chair, self._crew.tally))
        finally:
            await self._count(task_id, run_number)

    async def _count(self, task_id: str, run_number: int) -> None:
        try:
            task = await self._tasks.find(task_id)
        except AiOpsError:  # it is only counted
            return
        if task is not None and task.run_number == run_number and task.state not in _AT_WORK:
            state = "replaced" if task.state is TaskState.PENDING else task.state.value
            self._crew.tally.runs[task.kind.value, state] += 1


class WatchedFixer:
    """Another ``Fixer`` whose words are signs of life, and whose usage is counted."""

    def __init__(self, fixer: Fixer, crew: Crew) -> None:
        self._fixer = fixer
        self._crew = crew

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Ask it there."""

        async def heard(kind: str, data: dict[str, Any]) -> None:
            self._crew.beat(request.run_id)
            await watch(kind, data)

        kind = self._crew.kind_of(request.run_id) or "other"
        try:
            answer = await self._fixer.ask(request, heard)
        except AiOpsError as failure:
            if failure.cost_usd:
                self._crew.tally.used(request.model or "default", kind, Usage(cost_usd=failure.cost_usd))
            raise
        self._crew.tally.used(answer.model or request.model or "default", kind, answer.usage)
        return answer
