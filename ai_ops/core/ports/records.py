"""What is kept of issues and tasks, and what all lists have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ai_ops.core.flood import ReleaseChange
from ai_ops.core.verbs import Change
from ai_ops.flow.event import Event
from ai_ops.flow.issue import Issue, IssueDecision, IssueState, TriageDecision
from ai_ops.flow.notification import Notification
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task, TaskState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one batch. ``tasks`` are the new tasks that want to be enqueued.

    ``only_counted`` of the accepted events came faster than their issue's limit. ``withdrawn`` are tasks
    that were taken back, because a deploy storm's task stands for them.
    """

    accepted: int
    duplicates: int
    tasks: tuple[Task, ...] = ()
    only_counted: int = 0
    withdrawn: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class NewTask:
    """A repair or prompt that a person asked for; ``event`` is there for a repair.

    With ``issue_id`` the event is one of that issue already, and is not counted again.
    """

    kind: str
    repository: Repository | None
    priority: str
    payload: dict[str, Any]
    event: Event | None = None
    idempotency_key: str | None = None
    issue_id: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A new task, or the one that is already there, and why. ``busy`` hints that the queue is filling."""

    task: Task
    created: bool
    reason: str = ""
    busy: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; ``next_cursor`` is None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """The issue that others were merged into, and the tasks of theirs that were taken back.

    ``tasks`` want to be enqueued: a deploy storm goes on that one of those carried.
    """

    issue: Issue
    withdrawn: tuple[Task, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What ``GET /v1/tasks`` narrows by; empty means any."""

    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    issue_id: str | None = None
    pull_request_id: str | None = None


class Issues(Protocol):
    """Issues and the events under them."""

    async def ingest(self, events: Sequence[tuple[Event, Repository]]) -> Ingested:
        """Take events in one durable commit: new ids only, issues opened or raised, tasks created."""
        ...

    async def find(self, issue_id: str) -> Issue | None:
        """Return an issue."""
        ...

    async def list(
        self, *, states: Collection[IssueState] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[Issue]:
        """Return issues, newest first; no states: of any."""
        ...

    async def titles(self, ids: Collection[str]) -> Mapping[str, str]:
        """Return the titles of these; ids that are not there are left out."""
        ...

    async def release_change(self, issue: Issue) -> ReleaseChange | None:
        """Return the release that an issue's episode began with, and the one before it in the same place."""
        ...

    async def release_waiting(self) -> Sequence[Task]:
        """Start repairs that waited for a spike to pass, or a place, while there is room; to be enqueued."""
        ...

    async def reconsider(self) -> Sequence[Task]:
        """Open the next episode of errors whose pull request was turned down, where there is new evidence.

        Returns the repairs that begin with it; to be enqueued.
        """
        ...

    async def waiting(self) -> Mapping[str, int]:
        """Return how many open issues wait, by ``spike``, ``storm``, ``place`` and ``queue``."""
        ...

    async def fingerprints(self, issue_id: str) -> Sequence[str]:
        """Return the fingerprints whose events come to an issue, its own first."""
        ...

    async def decisions(self, issue_id: str) -> Sequence[IssueDecision]:
        """Return what people decided about an issue, oldest first."""
        ...

    async def decide(self, issue_id: str, verb: str, who: str) -> Issue:
        """Ignore, resolve or reopen an issue.

        Raises:
            PermanentError: ``issue_not_found``, ``issue_merged``.
        """
        ...

    async def judged(self, issue_id: str, decision: TriageDecision) -> None:
        """Record what triage says of an issue now."""
        ...

    async def merge(self, issue_id: str, into: str, who: str) -> Merged:
        """Hand the fingerprints and the count of one issue over to another of the same repository.

        Raises:
            PermanentError: ``issue_not_found``, ``issue_merged``, ``cannot_merge``.
        """
        ...

    async def split(self, issue_id: str, fingerprint: str, who: str) -> Issue:
        """Take a fingerprint out of an issue again and return the issue that it has from now on.

        Raises:
            PermanentError: ``issue_not_found``, ``cannot_split``.
        """
        ...


class Tasks(Protocol):
    """Tasks: the truth about what is to be done and how it went."""

    async def create(self, new: NewTask) -> Created:
        """Create a task, or return the one that already answers the same wish.

        A pull request has one unfinished follow-up at a time: that one is returned for any other wish.

        Raises:
            TemporaryError: ``queue_full``, for a prompt task that is not urgent.
        """
        ...

    async def find(self, task_id: str) -> Task | None:
        """Return a task."""
        ...

    async def list(self, wanted: TaskFilter, *, limit: int = 50, cursor: str | None = None) -> Page[Task]:
        """Return tasks, newest first."""
        ...

    async def move(
        self,
        task_id: str,
        to: TaskState,
        *,
        mail: Notification | None = None,
        only_run: int | None = None,
        **changes: Any,
    ) -> Task:
        """Move a task along the table of transitions and change other fields in the same commit.

        ``mail`` is put into the outbox by that commit too: it is sent if the task moved, and only then.
        ``only_run`` is the number of the run that speaks: one that a later run follows has no say.

        Raises:
            PermanentError: ``illegal_transition`` or ``task_not_found``.
        """
        ...

    async def update(self, task_id: str, **changes: Any) -> Task:
        """Change fields other than the state."""
        ...

    async def act(self, task_id: str, rule: Callable[[Task], Change]) -> tuple[Task, Change]:
        """Do to a task what ``rule`` decides, in the transaction that it decides in: verbs do not race.

        Returns the task as it is then, and the decision.

        Raises:
            PermanentError: ``task_not_found``, or as ``rule``.
        """
        ...

    async def unfinished(self) -> Sequence[Task]:
        """Return the tasks that a worker has or should have: pending, processing, retrying, waiting."""
        ...

    async def counts(self) -> Mapping[TaskState, int]:
        """Return how many tasks stand in each state; a state without any is left out."""
        ...


class Ids(Protocol):
    """Ids as people type them."""

    async def beginning_with(self, noun: str, beginning: str, limit: int = 5) -> Sequence[str]:
        """Return ids of a noun that begin like this: a task, issue, trace, pull_request, bug_case or such."""
        ...
