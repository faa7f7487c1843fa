"""The transaction of intake: all batches that wait at a moment become issues, events and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from ai_ops.core.flood import IntakeRules
from ai_ops.core.ports import Ingested
from ai_ops.flow.event import Event
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task
from ai_ops.store import releases
from ai_ops.store.intake_batch import IntakeBatch, TakenEvent
from ai_ops.store.issue_memory import IssueMemory
from ai_ops.store.releases import Place

Batch = Sequence[tuple[Event, Repository]]


class Taking:
    """Takes the batches of some callers by these rules; what it takes must be committed.

    With a memory it must be the only one that writes through its connection, and is of no more use after a
    transaction that was not committed.
    """

    def __init__(self, rules: IntakeRules, memory: IssueMemory | None = None) -> None:
        self._rules = rules
        self._memory = memory

    def __call__(
        self, connection: Connection, calls: Sequence[Batch], due: Iterable[Place], now: datetime
    ) -> list[Ingested]:
        """Return what became of each call; ``due`` are the places whose releases were seen ``now``."""
        releases.note(connection, due, now)
        events = [pair for events in calls for pair in events]
        batch = IntakeBatch.load(connection, events, now, self._rules, self._memory)
        taken = [[batch.take(event, repository) for event, repository in events] for events in calls]
        grants = batch.settle()
        batch.flush()
        if self._memory:
            batch.remember(self._memory)
        answers = [_answer(events) for events in taken]
        answers[0] = _with(answers[0], grants.extra, grants.withdrawn)
        return answers


def _answer(taken: Sequence[TakenEvent]) -> Ingested:
    accepted = sum(one.new for one in taken)
    tasks = tuple(one.candidate.task for one in taken if one.candidate and one.candidate.task)
    only_counted = sum(one.new and not one.stored for one in taken)
    return Ingested(accepted, len(taken) - accepted, tasks, only_counted)


def _with(answer: Ingested, extra: Sequence[Task], withdrawn: Sequence[Task]) -> Ingested:
    """Hand what belongs to no caller in particular to one of them."""
    return Ingested(
        answer.accepted,
        answer.duplicates,
        (*answer.tasks, *extra),
        answer.only_counted,
        tuple(withdrawn),
    )
