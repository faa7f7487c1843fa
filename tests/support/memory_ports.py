"""Ports in dictionaries and lists: what tests need, and no more rules than the ports have."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from ai_ops.core.bug_cases import owner_of
from ai_ops.core.ports import BugCaseFilter, Outcome, Page
from ai_ops.core.similarity import kind_of, place_of
from ai_ops.core.verbs import Change
from ai_ops.errors import PermanentError
from ai_ops.flow.bug_case import BugCase, KnownBug, Likeness, Reach
from ai_ops.flow.run import Run, Step, StepState
from ai_ops.flow.task import TRANSITIONS, Priority, Task, TaskKind, TaskState

_UNFINISHED = {TaskState.PENDING, TaskState.PROCESSING, TaskState.RETRYING, TaskState.WAITING_UNBAN}


def a_task(id: str = "t1", **changes: Any) -> Task:
    now = datetime.now(UTC)
    task = Task(
        id, TaskKind.REPAIR, TaskState.PENDING, Priority.NORMAL, now, now, repo_key="git.example/acme/app"
    )
    return replace(task, **changes)


class MemoryTasks:
    def __init__(self, *tasks: Task) -> None:
        self.rows = {task.id: task for task in tasks}
        self.moves: list[tuple[str, TaskState]] = []

    async def find(self, task_id: str) -> Task | None:
        return self.rows.get(task_id)

    async def move(
        self, task_id: str, to: TaskState, *, mail: Any = None, only_run: int | None = None, **changes: Any
    ) -> Task:
        task = self.rows[task_id]
        if only_run not in (None, task.run_number):
            raise PermanentError("illegal_transition", f"run {only_run} has no say")
        if to not in TRANSITIONS[task.state]:
            raise PermanentError("illegal_transition", f"{task.state} → {to}")
        self.moves.append((task_id, to))
        return await self.update(task_id, state=to, **changes)

    async def update(self, task_id: str, **changes: Any) -> Task:
        self.rows[task_id] = replace(self.rows[task_id], **changes)
        return self.rows[task_id]

    async def act(self, task_id: str, rule: Callable[[Task], Change]) -> tuple[Task, Change]:
        change = rule(self.rows[task_id])
        if change.to is None:
            return self.rows[task_id], change
        return await self.move(task_id, change.to, **change.changes), change

    async def unfinished(self) -> Sequence[Task]:
        return [task for task in self.rows.values() if task.state in _UNFINISHED]

    def add(self, task: Task) -> Task:
        self.rows[task.id] = task
        return task


class MemoryTrace:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], Step] = {}
        self.runs_by_id: dict[str, Run] = {}
        self.failures: dict[tuple[str, str, int], list[dict[str, str]]] = defaultdict(list)

    async def run_started(self, run: Run) -> None:
        self.runs_by_id.setdefault(run.id, run)

    async def run_ended(self, run_id: str, outcome: str) -> None:
        self.runs_by_id[run_id] = replace(
            self.runs_by_id[run_id], ended_at=datetime.now(UTC), outcome=outcome
        )

    async def find_run(self, run_id: str) -> Run | None:
        return self.runs_by_id.get(run_id)

    async def step_outcome(self, run_id: str, name: str, round: int) -> Outcome | None:
        await asyncio.sleep(0)
        step = self.rows.get((run_id, name, round))
        return step.output if step else None

    async def step_started(self, run_id: str, name: str, round: int) -> None:
        await asyncio.sleep(0)
        key = (run_id, name, round)
        step = self.rows.get(key)
        if step:
            self.rows[key] = replace(step, state=StepState.STARTED, entries=step.entries + 1)
        else:
            self.rows[key] = Step(run_id, name, round, StepState.STARTED, datetime.now(UTC))

    async def step_done(self, run_id: str, name: str, round: int, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        key = (run_id, name, round)
        self.rows[key] = replace(self.rows[key], state=StepState.DONE, output=outcome)

    async def step_failed(self, run_id: str, name: str, round: int, failure: Mapping[str, str]) -> None:
        await asyncio.sleep(0)
        key = (run_id, name, round)
        self.failures[key].append(dict(failure))
        self.rows[key] = replace(self.rows[key], state=StepState.FAILED, failure=dict(failure))

    async def steps(self, run_id: str) -> Sequence[Step]:
        return [step for step in self.rows.values() if step.run_id == run_id]


class MemoryBugCases:
    """The bug library in a list, the newest last."""

    def __init__(self) -> None:
        self.rows: list[BugCase] = []

    async def keep(self, case: BugCase) -> BugCase:
        for place, known in enumerate(self.rows):
            if (known.issue_id, known.episode) == (case.issue_id, case.episode):
                same = ("id", "created_at", "recurrences", "last_recurred_at")
                self.rows[place] = replace(case, **{name: getattr(known, name) for name in same})
                return self.rows[place]
        self.rows.append(case)
        return case

    async def find(self, case_id: str) -> BugCase | None:
        return next((case for case in self.rows if case.id == case_id), None)

    async def find_all(self, ids: Sequence[str]) -> Sequence[BugCase]:
        return [case for one in ids if (case := await self.find(one))]

    async def list(
        self, wanted: BugCaseFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page[BugCase]:
        def fits(case: BugCase) -> bool:
            return (
                wanted.repo_key in ("", case.repo_key)
                and wanted.exception_type in ("", kind_of(case.likeness))
                and case.fingerprint.startswith(wanted.fingerprint)
                and (not wanted.outcomes or case.outcome in wanted.outcomes)
            )

        before = int(cursor) if cursor else len(self.rows)
        places = [place for place in range(before - 1, -1, -1) if fits(self.rows[place])]
        items = tuple(self.rows[place] for place in places[:limit])
        return Page(items, str(places[limit - 1]) if len(places) > limit else None)

    async def alike(self, wanted: Likeness, repo_key: str, *, owner: str, reach: Reach) -> Sequence[KnownBug]:
        def shares(case: BugCase) -> bool:
            known, own = case.likeness, case.repo_key == repo_key
            if known.template == wanted.template or kind_of(known) == kind_of(wanted):
                near = reach is Reach.OWNER and owner_of(case.repo_key) == owner
                return own or near or reach is Reach.ALL
            place = place_of(wanted)
            same_place = place != "" and place_of(known) == place
            return own and (
                same_place or (wanted.fingerprint != "" and case.fingerprint == wanted.fingerprint)
            )

        names = [field.name for field in fields(KnownBug)]
        return [
            KnownBug(**{name: getattr(case, name) for name in names})
            for case in reversed(self.rows)
            if shares(case)
        ]
