"""What is kept: issues, tasks, pull requests, bug cases, and what they are listed by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from ai_ops.core.flood import ReleaseChange
from ai_ops.core.verbs import Change
from ai_ops.flow.bug_case import BugCase, BugCaseOutcome, KnownBug, Likeness, Reach
from ai_ops.flow.event import Event
from ai_ops.flow.issue import Issue, IssueDecision, TriageDecision
from ai_ops.flow.notification import Notification
from ai_ops.flow.pull_request import HostedComment, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.schedule import Schedule, Tick
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

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Issue]:
        """Return issues, newest first."""
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


class PullRequests(Protocol):
    """Our records of pull requests."""

    async def record(self, pull_request: PullRequest) -> PullRequest:
        """Insert, or return the record with the same (repo_key, branch)."""
        ...

    async def find(self, pull_request_id: str) -> PullRequest | None:
        """Return a pull request."""
        ...

    async def find_by_branch(self, repo_key: str, branch: str) -> PullRequest | None:
        """Return the pull request of a branch."""
        ...

    async def find_by_number(self, repo_key: str, number: int) -> PullRequest | None:
        """Return the pull request that the host gave this number."""
        ...

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[PullRequest]:
        """Return pull requests, newest first."""
        ...

    async def states(self, ids: Collection[str]) -> Mapping[str, PullRequestState]:
        """Return what became of these, as far as we know; ids that are not there are left out."""
        ...

    async def set_state(self, pull_request_id: str, state: PullRequestState) -> PullRequest:
        """Record what became of it."""
        ...

    async def update(self, pull_request_id: str, **changes: Any) -> PullRequest:
        """Change fields other than those that name it, as a revision does."""
        ...

    async def issues_of(self, pull_request_id: str) -> Sequence[tuple[str, int]]:
        """Return the issues, each with its episode, that a pull request is to mend."""
        ...

    async def of_error(self, repo_key: str, fingerprint: str) -> Sequence[PullRequest]:
        """Return the pull requests of an error in all its episodes, the newest first."""
        ...

    async def open(self) -> Sequence[PullRequest]:
        """Return those of ours that are open, as far as we know, oldest first."""
        ...

    async def open_in(self, repo_key: str) -> Sequence[PullRequest]:
        """Return those of ours that are open in a repository, as far as we know, oldest first."""
        ...

    async def lately_closed(self) -> Sequence[PullRequest]:
        """Return those closed unmerged within a month, oldest first: a person may open one again."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Room for one pull request: that of a branch of a repository, onto ``base``. ``task_id`` wants it."""

    repo_key: str
    branch: str
    base: str
    task_id: str


class Places(Protocol):
    """Who may open a pull request. Taken durably before any of it is public, so no limit is ever passed."""

    async def take(self, place: Place, *, beyond_limits: bool = False) -> str:
        """Take a place, or return why there is none now. The branch that has one keeps it.

        ``beyond_limits``: a person asked for this very one.
        """
        ...

    async def release(self, repo_key: str, branch: str) -> None:
        """Give a place back, unless its pull request is there, or its task works."""
        ...

    async def left(self) -> Sequence[Place]:
        """Return the places whose task has ended, and whose pull request is not among our records."""
        ...

    async def release_waiting(self) -> Sequence[Task]:
        """Let repairs go on that waited for a place, the oldest first, while there is room; to enqueue."""
        ...


class Comments(Protocol):
    """What is written on local pull requests; hosts keep their own."""

    async def add(
        self, pull_request_id: str, author: str, body: str, *, ours: bool, key: str, thread: str = ""
    ) -> HostedComment:
        """Keep a comment; the same ``key`` returns the one already kept.

        Raises:
            PermanentError: ``pull_request_not_found``.
        """
        ...

    async def of(self, pull_request_id: str, since: datetime | None = None) -> Sequence[HostedComment]:
        """Return those of a pull request written at or after ``since``, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class SeenComment:
    """A comment that was looked at; ``done`` when nothing is left to be done about it."""

    created_at: datetime
    done: bool


class SeenComments(Protocol):
    """Which comments on our pull requests were looked at, on hosts and local ones."""

    async def of(self, pull_request_id: str) -> Mapping[str, SeenComment]:
        """Return those of a pull request, by the id of the comment."""
        ...

    async def put(self, pull_request_id: str, comment: HostedComment, *, done: bool) -> None:
        """Remember one; said again, the later word counts."""
        ...


class Deliveries(Protocol):
    """Which webhooks came before."""

    async def is_new(self, sender: str, delivery_id: str) -> bool:
        """Remember a delivery, and return whether it had not come before."""
        ...


@dataclass(frozen=True, slots=True)
class BugCaseFilter:
    """What ``GET /v1/bug-cases`` narrows by; empty means any. ``fingerprint`` may be a beginning."""

    repo_key: str = ""
    exception_type: str = ""
    fingerprint: str = ""
    outcomes: tuple[BugCaseOutcome, ...] = ()


class BugCases(Protocol):
    """The bug library. Cases are made where issues and pull requests are closed, by the same commit."""

    async def find(self, case_id: str) -> BugCase | None:
        """Return a case."""
        ...

    async def find_all(self, ids: Sequence[str]) -> Sequence[BugCase]:
        """Return these cases in this order; ids that are not there are left out."""
        ...

    async def list(
        self, wanted: BugCaseFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page[BugCase]:
        """Return cases, newest first."""
        ...

    async def alike(self, wanted: Likeness, repo_key: str, *, owner: str, reach: Reach) -> Sequence[KnownBug]:
        """Return cases that share something with an error: fingerprint, place, message or type.

        Of each kind the newest fifty of its repository, and as many of those that ``reach`` allows; so
        the work does not grow with the library.
        """
        ...


class Schedules(Protocol):
    """Prompt tasks that come again and again."""

    async def create(self, schedule: Schedule) -> tuple[Schedule, bool]:
        """Keep a new one, or return the one of the same external id, and whether it is new.

        Raises:
            PermanentError: ``too_many_schedules``.
        """
        ...

    async def find(self, schedule_id: str) -> Schedule | None:
        """Return a schedule."""
        ...

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Schedule]:
        """Return schedules, newest first."""
        ...

    async def update(self, schedule_id: str, **changes: Any) -> Schedule:
        """Change fields. Raises ``schedule_not_found``."""
        ...

    async def delete(self, schedule_id: str) -> None:
        """Forget a schedule with its ticks; its tasks stay. Raises ``schedule_not_found``."""
        ...

    async def due(self, now: datetime, limit: int = 100) -> Sequence[Schedule]:
        """Return the enabled schedules that have a time to see to, the longest due first."""
        ...

    async def record(
        self, schedule: Schedule, ticks: Sequence[Tick], *, next_at: datetime | None = None
    ) -> Schedule | None:
        """Keep what became of times, and the next one, in one commit; None when it was deleted meanwhile."""
        ...

    async def ticks(self, schedule_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Tick]:
        """Return what became of a schedule's times, newest first."""
        ...


class Ids(Protocol):
    """Ids as people type them."""

    async def beginning_with(self, noun: str, beginning: str, limit: int = 5) -> Sequence[str]:
        """Return ids of a noun that begin like this: a task, issue, trace, pull_request, bug_case or such."""
        ...
