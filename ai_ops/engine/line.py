"""Who comes next: the tasks that wait for their turn, in the order of work.

First by priority. Among equals the parties take turns: each repository is one, so is each schedule and each
workflow, and all other prompt tasks without a repository together; within a party it is first come, first
served. A repository has one task at work at a time, so others pass those that wait for it.

It knows no time and no database. Our tables know what waits, and fill it again after a restart.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from operator import itemgetter

from ai_ops.flow.task import Priority, Task, TaskKind, TaskType

_RANKS = {Priority.URGENT: 1, Priority.HIGH: 2, Priority.NORMAL: 3, Priority.LOW: 4}
_MOST_STANDING = 256
"""Runs that may stand in this process at once, most of them waiting for something."""


def rank(task: Task) -> int:
    """Return a task's place in the order of work: 1 is served first."""
    return _RANKS[task.priority]


def workflow_id(task: Task) -> str:
    """Return the engine's name of a task's present run. Enqueued twice, it is one piece of work."""
    return f"{task.kind.value}:{task.id}:{task.run_number}"


def task_id_of(workflow: str) -> tuple[str, int]:
    """Return the task id and the run number that ``workflow_id`` was made from."""
    name, _, number = workflow.partition(":")[2].rpartition(":")
    return name, int(number)


def turn(task: Task) -> str:
    """Return what the task takes its turn on: its repository, or only itself when it writes nothing there."""
    reads_only = task.kind is TaskKind.PROMPT and task.payload.get("type") == TaskType.LIGHTWEIGHT.value
    return f"task:{task.id}" if reads_only or not task.repo_key else f"repo:{task.repo_key}"


def party(task: Task) -> str:
    """Return whom the task is done for, among whom places are shared out evenly."""
    if task.repo_key:
        return f"repo:{task.repo_key}"
    for whose in ("schedule_id", "workflow_id"):
        if task.payload.get(whose):
            return f"{whose}:{task.payload[whose]}"
    return "prompts"


class _Party:
    """What waits for one party: in turns of their own, and for the turn of its repository."""

    def __init__(self) -> None:
        self.own: dict[str, tuple[int, Task]] = {}
        self.shared: dict[str, tuple[int, Task]] = {}

    def next(self, taken: Collection[str]) -> Task | None:
        """Return the one that came first of those whose turn is free."""
        heads = [next(iter(each.values())) for each in (self.own, self.shared) if each]
        free = [(number, task) for number, task in heads if turn(task) not in taken]
        return min(free, key=itemgetter(0))[1] if free else None


class Line:
    """The tasks that wait, and the runs that stand: begun and not over.

    Args:
        begin: is called with a task whose turn has come; it has a place already.
        most_standing: how many runs may stand at once.
    """

    def __init__(self, begin: Callable[[Task], None], most_standing: int = _MOST_STANDING) -> None:
        self._begin = begin
        self._most_standing = most_standing
        self._ranks: dict[int, dict[str, _Party]] = {each: {} for each in sorted(_RANKS.values())}
        self._waiting: dict[str, Task] = {}
        self._standing: dict[str, str] = {}  # the turn of each
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    @property
    def waiting(self) -> frozenset[str]:
        """The names of the runs that wait."""
        return frozenset(self._waiting)

    @property
    def standing(self) -> frozenset[str]:
        """The names of the runs that stand."""
        return frozenset(self._standing)

    def add(self, task: Task) -> None:
        """Let a task wait for its turn; harmless when it does."""
        name = workflow_id(task)
        if name not in self._waiting:
            self._waiting[name] = task
            waiting = self._ranks[rank(task)].setdefault(party(task), _Party())
            _queue(waiting, task)[name] = (next(self._numbers), task)

    def drop(self, name: str) -> bool:
        """Forget one that waits; return whether it did."""
        task = self._waiting.pop(name, None)
        if task is None:
            return False
        parties = self._ranks[rank(task)]
        waiting = parties[party(task)]
        del _queue(waiting, task)[name]
        if not waiting.own and not waiting.shared:
            del parties[party(task)]
        return True

    def stand(self, task: Task) -> None:
        """Note a run that goes on without having waited here, as after a restart."""
        self._standing[workflow_id(task)] = turn(task)

    def leave(self, name: str) -> None:
        """Note that a run stands no more: its turn is free."""
        self._standing.pop(name, None)

    def peek(self) -> Task | None:
        """Return who is next, None when nobody can be."""
        if not self._waiting or len(self._standing) >= self._most_standing:
            return None
        taken = set(self._standing.values())
        for parties in self._ranks.values():
            for waiting in parties.values():
                if task := waiting.next(taken):
                    return task
        return None

    def admit(self, task: Task) -> None:
        """Begin a task that waits; its party is served last from now on."""
        parties, name = self._ranks[rank(task)], party(task)
        self.drop(workflow_id(task))
        if name in parties:
            parties[name] = parties.pop(name)
        self.stand(task)
        self._begin(task)


def _queue(waiting: _Party, task: Task) -> dict[str, tuple[int, Task]]:
    return waiting.own if turn(task).startswith("task:") else waiting.shared
